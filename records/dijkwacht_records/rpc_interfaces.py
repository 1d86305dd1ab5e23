"""The closed list of DCE/RPC interfaces that ``rpc.iface`` names, by UUID, and the pipes that lead to them.

Numbers of operations (``rpc.op``) are Microsoft's own within each interface ([MS-SCMR], [MS-TSCH],
[MS-WMI], [MS-DRSR], [MS-SAMR] ...).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class RpcInterface(IntEnum):
    """Interfaces of Windows' remote administration; `UNKNOWN` for any other."""

    NONE = 0
    UNKNOWN = 1
    SVCCTL = 2  # services
    TASKS = 3  # task scheduler
    ATSVC = 4  # its forerunner
    WMI = 5  # IWbemServices
    DCOM = 6  # remote activation
    DRSUAPI = 7  # directory replication
    NETLOGON = 8
    SAMR = 9  # accounts
    LSARPC = 10  # policy and names
    SRVSVC = 11  # shares and sessions
    WKSSVC = 12  # workstation
    WINREG = 13  # registry
    SPOOLSS = 14  # printing
    EFSRPC = 15  # encrypting file system
    EVENTLOG = 16
    EPM = 17  # endpoint mapper
    REMOTE_TOOL = 18  # a pipe of a known remote execution tool
    DFSNM = 19  # distributed file system
    FSRVP = 20  # file server shadow copies
    WMI_LOGIN = 21  # IWbemLevel1Login
    DCOM_OBJECT = 22  # IRemUnknown: references to remote objects
    OXID = 23  # IObjectExporter
    DISPATCH = 24  # IDispatch: methods of remote objects, by which programs are remote-controlled
    PRINT_ASYNC = 25  # printing again, by other numbers of operations ([MS-PAR], [MS-PAN])


_UUIDS: Final = {
    "367abb81-9844-35f1-ad32-98f038001003": RpcInterface.SVCCTL,
    "86d35949-83c9-4044-b424-db363231fd0c": RpcInterface.TASKS,
    "1ff70682-0a51-30e8-076d-740be8cee98b": RpcInterface.ATSVC,
    "378e52b0-c0a9-11cf-822d-00aa0051e40f": RpcInterface.ATSVC,
    "0a74ef1c-41a4-4e06-83ae-dc74fb1cdd53": RpcInterface.ATSVC,
    "9556dc99-828c-11cf-a37e-00aa003240c7": RpcInterface.WMI,
    "f309ad18-d86a-11d0-a075-00c04fb68820": RpcInterface.WMI_LOGIN,
    "000001a0-0000-0000-c000-000000000046": RpcInterface.DCOM,
    "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57": RpcInterface.DCOM,
    "00000131-0000-0000-c000-000000000046": RpcInterface.DCOM_OBJECT,
    "00000143-0000-0000-c000-000000000046": RpcInterface.DCOM_OBJECT,
    "99fcfec4-5260-101b-bbcb-00aa0021347a": RpcInterface.OXID,
    "00020400-0000-0000-c000-000000000046": RpcInterface.DISPATCH,
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2": RpcInterface.DRSUAPI,
    "12345678-1234-abcd-ef00-01234567cffb": RpcInterface.NETLOGON,
    "12345778-1234-abcd-ef00-0123456789ac": RpcInterface.SAMR,
    "12345778-1234-abcd-ef00-0123456789ab": RpcInterface.LSARPC,
    "4b324fc8-1670-01d3-1278-5a47bf6ee188": RpcInterface.SRVSVC,
    "6bffd098-a112-3610-9833-46c3f87e345a": RpcInterface.WKSSVC,
    "338cd001-2244-31f1-aaaa-900038001003": RpcInterface.WINREG,
    "12345678-1234-abcd-ef00-0123456789ab": RpcInterface.SPOOLSS,
    "76f03f96-cdfd-44fc-a22c-64950a001209": RpcInterface.PRINT_ASYNC,
    "ae33069b-a2a8-46ee-a235-ddfd339be281": RpcInterface.PRINT_ASYNC,
    "c681d488-d850-11d0-8c52-00c04fd90f7e": RpcInterface.EFSRPC,
    "df1941c5-fe89-4e79-bf10-463657acf44d": RpcInterface.EFSRPC,
    "82273fdc-e32a-18c3-3f78-827929dc23ea": RpcInterface.EVENTLOG,
    "f6beaff7-1e19-4fbb-9f8f-b89e2018337c": RpcInterface.EVENTLOG,
    "e1af8308-5d1f-11c9-91a4-08002b14a0fa": RpcInterface.EPM,
    "4fc742e0-4a10-11cf-8273-00aa004ae673": RpcInterface.DFSNM,
    "a8e0653c-2744-4389-a61d-7373df8b2292": RpcInterface.FSRVP,
}


def _little_endian(uuid: str) -> bytes:
    # The library's UUID would cost an agent 0.4 MiB for this line.
    first, second, third, *rest = map(bytes.fromhex, uuid.split("-"))
    return first[::-1] + second[::-1] + third[::-1] + b"".join(rest)


INTERFACES: Final = {_little_endian(text): interface for text, interface in _UUIDS.items()}
"""UUID as it stands in a little-endian bind → interface."""

PIPES: Final = {
    "svcctl": RpcInterface.SVCCTL,
    "atsvc": RpcInterface.ATSVC,
    "samr": RpcInterface.SAMR,
    "lsarpc": RpcInterface.LSARPC,
    "lsass": RpcInterface.LSARPC,
    "netlogon": RpcInterface.NETLOGON,
    "srvsvc": RpcInterface.SRVSVC,
    "wkssvc": RpcInterface.WKSSVC,
    "winreg": RpcInterface.WINREG,
    "spoolss": RpcInterface.SPOOLSS,
    "efsrpc": RpcInterface.EFSRPC,
    "eventlog": RpcInterface.EVENTLOG,
    "even": RpcInterface.EVENTLOG,
    "epmapper": RpcInterface.EPM,
    "netdfs": RpcInterface.DFSNM,
    "fssagentrpc": RpcInterface.FSRVP,
}
"""Named pipe in lower case, without its path → the interface that it leads to."""
TOOL_PIPES: Final = ("psexesvc", "remcom_", "paexec", "csexec", "winexesvc", "ahexec")
"""How pipes of remote execution tools begin, in lower case."""

EXECUTES: Final = frozenset(
    {
        # [MS-SCMR] 3.1.4: RCreateServiceW, ...A, ...WOW64A, ...WOW64W, RCreateWowService
        *((RpcInterface.SVCCTL, op) for op in (12, 24, 44, 45, 60)),
        (RpcInterface.SVCCTL, 19),  # RStartServiceW
        (RpcInterface.SVCCTL, 31),  # RStartServiceA
        # [MS-TSCH] 3.2.5.4: SchRpcRegisterTask, SchRpcRun, SchRpcEnableTask; 3.2.5.2: NetrJobAdd
        *((RpcInterface.TASKS, op) for op in (1, 12, 19)),
        (RpcInterface.ATSVC, 0),
        # [MS-WMI] 3.1.4.3: ExecMethod, ExecMethodAsync
        *((RpcInterface.WMI, op) for op in (24, 25)),
        (RpcInterface.DISPATCH, 6),  # [MS-OAUT] 3.1.4.4: Invoke
        # [MS-RPRN] 3.1.4: RpcAddPrinterDriver, RpcAddPrintProcessor, RpcAddMonitor, RpcAddPrinterDriverEx
        # load a library; [MS-PAR] 3.1.4: the same, and RpcAsyncInstallPrinterDriverFromPackage
        *((RpcInterface.SPOOLSS, op) for op in (9, 14, 46, 89)),
        *((RpcInterface.PRINT_ASYNC, op) for op in (39, 44, 51, 62)),
    }
)
"""Interface and operation of the calls that make the server run something of the client's choice.

Activating an object (`RpcInterface.DCOM`) is none of them: an inventory does so before it only asks.
"""


def interface_of_pipe(name: str) -> RpcInterface:
    r"""The interface that a pipe leads to, by the last part of its name.

    >>> interface_of_pipe("\\PIPE\\svcctl"), interface_of_pipe("PSEXESVC-DESK-1-stdin")
    (<RpcInterface.SVCCTL: 2>, <RpcInterface.REMOTE_TOOL: 18>)
    """
    last = name.replace("/", "\\").rpartition("\\")[2].lower()
    if last.startswith(TOOL_PIPES):
        return RpcInterface.REMOTE_TOOL
    return PIPES.get(last, RpcInterface.UNKNOWN)
