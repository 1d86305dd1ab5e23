"""What sensors call remote procedures, shares and pipes → the closed lists of the contract.

A name is looked up and then forgotten: no name of a share, a pipe or a file leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from dijkwacht_records.rpc_interfaces import INTERFACES, RpcInterface, interface_of_pipe
from dijkwacht_records.vocabulary import ShareKind

_ENDPOINTS: Final = {
    "svcctl": RpcInterface.SVCCTL, "itaskschedulerservice": RpcInterface.TASKS,
    "atsvc": RpcInterface.ATSVC, "sasec": RpcInterface.ATSVC, "idletask": RpcInterface.ATSVC,
    "iwbemservices": RpcInterface.WMI, "iwbemlevel1login": RpcInterface.WMI_LOGIN,
    "iremotescmactivator": RpcInterface.DCOM, "isystemactivator": RpcInterface.DCOM,
    "iactivation": RpcInterface.DCOM, "iremunknown": RpcInterface.DCOM_OBJECT,
    "iremunknown2": RpcInterface.DCOM_OBJECT, "iobjectexporter": RpcInterface.OXID,
    "ioxidresolver": RpcInterface.OXID, "drsuapi": RpcInterface.DRSUAPI,
    "netlogon": RpcInterface.NETLOGON, "samr": RpcInterface.SAMR, "lsarpc": RpcInterface.LSARPC,
    "srvsvc": RpcInterface.SRVSVC, "wkssvc": RpcInterface.WKSSVC, "winreg": RpcInterface.WINREG,
    "spoolss": RpcInterface.SPOOLSS, "iremotewinspool": RpcInterface.PRINT_ASYNC,
    "irpcremoteobject": RpcInterface.PRINT_ASYNC, "efsrpc": RpcInterface.EFSRPC,
    "efs": RpcInterface.EFSRPC, "eventlog": RpcInterface.EVENTLOG, "epmapper": RpcInterface.EPM,
    "epm": RpcInterface.EPM, "netdfs": RpcInterface.DFSNM, "dfsnm": RpcInterface.DFSNM,
    "fsrvp": RpcInterface.FSRVP, "fileservervssagent": RpcInterface.FSRVP,
}  # fmt: skip

_OPERATIONS: Final[tuple[tuple[RpcInterface, str, Mapping[int, str]], ...]] = (
    (RpcInterface.SVCCTL, "R", {
        0: "CloseServiceHandle", 1: "ControlService", 2: "DeleteService", 3: "LockServiceDatabase",
        4: "QueryServiceObjectSecurity", 5: "SetServiceObjectSecurity", 6: "QueryServiceStatus",
        7: "SetServiceStatus", 8: "UnlockServiceDatabase", 11: "ChangeServiceConfigW",
        12: "CreateServiceW", 13: "EnumDependentServicesW", 14: "EnumServicesStatusW",
        15: "OpenSCManagerW", 16: "OpenServiceW", 17: "QueryServiceConfigW", 19: "StartServiceW",
        20: "GetServiceDisplayNameW", 21: "GetServiceKeyNameW", 23: "ChangeServiceConfigA",
        24: "CreateServiceA", 25: "EnumDependentServicesA", 26: "EnumServicesStatusA",
        27: "OpenSCManagerA", 28: "OpenServiceA", 29: "QueryServiceConfigA", 31: "StartServiceA",
        32: "GetServiceDisplayNameA", 33: "GetServiceKeyNameA", 35: "EnumServiceGroupW",
        36: "ChangeServiceConfig2A", 37: "ChangeServiceConfig2W", 38: "QueryServiceConfig2A",
        39: "QueryServiceConfig2W", 40: "QueryServiceStatusEx", 41: "EnumServicesStatusExA",
        42: "EnumServicesStatusExW", 44: "CreateServiceWOW64A", 45: "CreateServiceWOW64W",
        47: "NotifyServiceStatusChange", 50: "ControlServiceExA", 51: "ControlServiceExW",
        60: "CreateWowService", 64: "OpenSCManager2",
    }),
    (RpcInterface.TASKS, "SchRpc", {
        0: "HighestVersion", 1: "RegisterTask", 2: "RetrieveTask", 3: "CreateFolder",
        4: "SetSecurity", 5: "GetSecurity", 6: "EnumFolder", 7: "EnumTasks", 8: "EnumInstances",
        9: "GetInstanceInfo", 10: "StopInstance", 11: "Stop", 12: "Run", 13: "Delete",
        14: "Rename", 15: "ScheduledRuntimes", 16: "GetLastRunInfo", 17: "GetTaskInfo",
        18: "GetNumberOfMissedRuns", 19: "EnableTask",
    }),
    (RpcInterface.ATSVC, "Netr", {
        0: "JobAdd", 1: "JobDel", 2: "JobEnum", 3: "JobGetInfo",
    }),
    (RpcInterface.WMI, "", {
        3: "OpenNamespace", 4: "CancelAsyncCall", 5: "QueryObjectSink", 6: "GetObject",
        7: "GetObjectAsync", 8: "PutClass", 9: "PutClassAsync", 12: "CreateClassEnum",
        14: "PutInstance", 15: "PutInstanceAsync", 16: "DeleteInstance", 18: "CreateInstanceEnum",
        19: "CreateInstanceEnumAsync", 20: "ExecQuery", 21: "ExecQueryAsync",
        22: "ExecNotificationQuery", 23: "ExecNotificationQueryAsync", 24: "ExecMethod",
        25: "ExecMethodAsync",
    }),
    (RpcInterface.WMI_LOGIN, "", {
        3: "EstablishPosition", 4: "RequestChallenge", 5: "WBEMLogin", 6: "NTLMLogin",
    }),
    (RpcInterface.DCOM, "", {
        0: "RemoteActivation", 3: "RemoteGetClassObject", 4: "RemoteCreateInstance",
    }),
    (RpcInterface.DCOM_OBJECT, "", {
        3: "RemQueryInterface", 4: "RemAddRef", 5: "RemRelease", 6: "RemQueryInterface2",
    }),
    (RpcInterface.OXID, "", {
        0: "ResolveOxid", 1: "SimplePing", 2: "ComplexPing", 3: "ServerAlive", 4: "ResolveOxid2",
        5: "ServerAlive2",
    }),
    (RpcInterface.DRSUAPI, "DRS", {
        0: "Bind", 1: "Unbind", 2: "ReplicaSync", 3: "GetNCChanges", 4: "UpdateRefs",
        5: "ReplicaAdd", 6: "ReplicaDel", 7: "ReplicaModify", 8: "VerifyNames",
        9: "GetMemberships", 10: "InterDomainMove", 11: "GetNT4ChangeLog", 12: "CrackNames",
        13: "WriteSPN", 14: "RemoveDsServer", 15: "RemoveDsDomain", 16: "DomainControllerInfo",
        17: "AddEntry", 18: "ExecuteKCC", 19: "GetReplInfo",
    }),
    (RpcInterface.NETLOGON, "Netr", {
        2: "LogonSamLogon", 3: "LogonSamLogoff", 4: "ServerReqChallenge", 5: "ServerAuthenticate",
        6: "ServerPasswordSet", 7: "DatabaseDeltas", 8: "DatabaseSync", 11: "GetDCName",
        12: "LogonControl", 14: "LogonControl2", 15: "ServerAuthenticate2", 16: "DatabaseSync2",
        18: "LogonControl2Ex", 19: "EnumerateTrustedDomains", 21: "LogonGetCapabilities",
        26: "ServerAuthenticate3", 29: "LogonGetDomainInfo", 30: "ServerPasswordSet2",
        31: "ServerPasswordGet", 39: "LogonSamLogonEx", 42: "ServerTrustPasswordsGet",
        45: "LogonSamLogonWithFlags",
    }),
    (RpcInterface.NETLOGON, "Dsr", {
        20: "GetDcName", 27: "GetDcNameEx", 28: "GetSiteName", 34: "GetDcNameEx2",
        40: "EnumerateDomainTrusts",
    }),
    (RpcInterface.SAMR, "Samr", {
        0: "Connect", 1: "CloseHandle", 2: "SetSecurityObject", 3: "QuerySecurityObject",
        5: "LookupDomainInSamServer", 6: "EnumerateDomainsInSamServer", 7: "OpenDomain",
        8: "QueryInformationDomain", 9: "SetInformationDomain", 10: "CreateGroupInDomain",
        11: "EnumerateGroupsInDomain", 12: "CreateUserInDomain", 13: "EnumerateUsersInDomain",
        14: "CreateAliasInDomain", 15: "EnumerateAliasesInDomain", 16: "GetAliasMembership",
        17: "LookupNamesInDomain", 18: "LookupIdsInDomain", 19: "OpenGroup",
        20: "QueryInformationGroup", 21: "SetInformationGroup", 22: "AddMemberToGroup",
        23: "DeleteGroup", 24: "RemoveMemberFromGroup", 25: "GetMembersInGroup", 27: "OpenAlias",
        28: "QueryInformationAlias", 30: "DeleteAlias", 31: "AddMemberToAlias",
        32: "RemoveMemberFromAlias", 33: "GetMembersInAlias", 34: "OpenUser", 35: "DeleteUser",
        36: "QueryInformationUser", 37: "SetInformationUser", 38: "ChangePasswordUser",
        39: "GetGroupsForUser", 40: "QueryDisplayInformation",
        44: "GetUserDomainPasswordInformation", 46: "QueryInformationDomain2",
        47: "QueryInformationUser2", 48: "QueryDisplayInformation2", 50: "CreateUser2InDomain",
        51: "QueryDisplayInformation3", 54: "OemChangePasswordUser2",
        55: "UnicodeChangePasswordUser2", 56: "GetDomainPasswordInformation", 57: "Connect2",
        58: "SetInformationUser2", 62: "Connect4", 64: "Connect5", 65: "RidToSid",
        66: "SetDSRMPassword", 67: "ValidatePassword",
    }),
    (RpcInterface.LSARPC, "Lsar", {
        0: "Close", 2: "EnumeratePrivileges", 6: "OpenPolicy", 7: "QueryInformationPolicy",
        10: "CreateAccount", 11: "EnumerateAccounts", 13: "EnumerateTrustedDomains",
        14: "LookupNames", 15: "LookupSids", 16: "CreateSecret", 17: "OpenAccount",
        18: "EnumeratePrivilegesAccount", 28: "OpenSecret", 29: "SetSecret", 30: "QuerySecret",
        35: "EnumerateAccountsWithUserRight", 36: "EnumerateAccountRights", 37: "AddAccountRights",
        38: "RemoveAccountRights", 42: "StorePrivateData", 43: "RetrievePrivateData",
        44: "OpenPolicy2", 45: "GetUserName", 46: "QueryInformationPolicy2",
        50: "EnumerateTrustedDomainsEx", 57: "LookupSids2", 58: "LookupNames2",
        68: "LookupNames3", 76: "LookupSids3", 77: "LookupNames4",
    }),
    (RpcInterface.SRVSVC, "Netr", {
        8: "ConnectionEnum", 9: "FileEnum", 10: "FileGetInfo", 11: "FileClose", 12: "SessionEnum",
        13: "SessionDel", 14: "ShareAdd", 15: "ShareEnum", 16: "ShareGetInfo", 17: "ShareSetInfo",
        18: "ShareDel", 20: "ShareCheck", 21: "ServerGetInfo", 22: "ServerSetInfo",
        23: "ServerDiskEnum", 24: "ServerStatisticsGet", 26: "ServerTransportEnum",
        28: "RemoteTOD", 36: "ShareEnumSticky",
    }),
    (RpcInterface.WKSSVC, "Netr", {0: "WkstaGetInfo", 1: "WkstaSetInfo", 2: "WkstaUserEnum"}),
    (RpcInterface.WINREG, "BaseReg", {
        5: "CloseKey", 6: "CreateKey", 7: "DeleteKey", 8: "DeleteValue", 9: "EnumKey",
        10: "EnumValue", 11: "FlushKey", 12: "GetKeySecurity", 13: "LoadKey", 15: "OpenKey",
        16: "QueryInfoKey", 17: "QueryValue", 18: "ReplaceKey", 19: "RestoreKey", 20: "SaveKey",
        21: "SetKeySecurity", 22: "SetValue", 23: "UnLoadKey", 26: "GetVersion",
        31: "SaveKeyEx", 35: "DeleteKeyEx",
    }),
    (RpcInterface.WINREG, "", {
        0: "OpenClassesRoot", 1: "OpenCurrentUser", 2: "OpenLocalMachine", 3: "OpenPerformanceData",
        4: "OpenUsers", 24: "BaseInitiateSystemShutdown", 25: "BaseAbortSystemShutdown",
        27: "OpenCurrentConfig", 30: "BaseInitiateSystemShutdownEx",
    }),
    (RpcInterface.SPOOLSS, "Rpc", {
        0: "EnumPrinters", 1: "OpenPrinter", 5: "AddPrinter", 8: "GetPrinter",
        9: "AddPrinterDriver", 10: "EnumPrinterDrivers", 11: "GetPrinterDriver",
        12: "GetPrinterDriverDirectory", 14: "AddPrintProcessor", 17: "StartDocPrinter",
        19: "WritePrinter",
        23: "EndDocPrinter", 26: "GetPrinterData", 29: "ClosePrinter", 46: "AddMonitor",
        53: "GetPrinterDriver2", 62: "RemoteFindFirstPrinterChangeNotification",
        65: "RemoteFindFirstPrinterChangeNotificationEx", 69: "OpenPrinterEx",
        70: "AddPrinterEx", 84: "DeletePrinterDriverEx", 88: "XcvData", 89: "AddPrinterDriverEx",
    }),
    (RpcInterface.PRINT_ASYNC, "RpcAsync", {
        0: "OpenPrinter", 20: "ClosePrinter", 38: "EnumPrinters", 39: "AddPrinterDriver",
        40: "EnumPrinterDrivers", 41: "GetPrinterDriverDirectory", 44: "AddPrintProcessor",
        51: "AddMonitor", 62: "InstallPrinterDriverFromPackage", 63: "UploadPrinterDriverPackage",
    }),
    (RpcInterface.EVENTLOG, "Elfr", {
        0: "ClearELFW", 1: "BackupELFW", 2: "CloseEL", 4: "NumberOfRecords", 5: "OldestRecord",
        7: "OpenELW", 10: "ReadELW", 12: "ClearELFA",
    }),
    (RpcInterface.EPM, "ept_", {
        0: "insert", 1: "delete", 2: "lookup", 3: "map", 4: "lookup_handle_free",
    }),
    (RpcInterface.DFSNM, "NetrDfs", {
        0: "ManagerGetVersion", 1: "Add", 2: "Remove", 4: "GetInfo", 5: "Enum", 12: "AddStdRoot",
        13: "RemoveStdRoot",
    }),
)  # fmt: skip
_NUMBERS: Final = {
    (interface, word.lower()): opnum
    for interface, prefix, names in _OPERATIONS
    for opnum, name in names.items()
    for word in (name, prefix + name)
}
_UNKNOWN: Final = re.compile(r"unknown-(\d{1,5})", re.ASCII)
_TREES: Final = {
    "ipc$": ShareKind.IPC, "admin$": ShareKind.ADMIN, "sysvol": ShareKind.DOMAIN,
    "netlogon": ShareKind.DOMAIN, "print$": ShareKind.PRINTER,
}  # fmt: skip
_DRIVE: Final = re.compile(r"[a-z]\$")


def interface_of(endpoint: str, pipe: str = "") -> RpcInterface:
    """The interface that a sensor names or gives the UUID of, else the one that ``pipe`` leads to.

    >>> interface_of("svcctl").name, interface_of("unknown-c681d488-d850-11d0-8c52-00c04fd90f7e").name
    ('SVCCTL', 'EFSRPC')
    """
    name = endpoint.lower().removeprefix("unknown-")
    if name in _ENDPOINTS:
        return _ENDPOINTS[name]
    try:
        return INTERFACES.get(UUID(name).bytes_le, RpcInterface.UNKNOWN)
    except ValueError:
        is_pipe = pipe and not pipe.isdigit()
        return interface_of_pipe(pipe) if is_pipe and not name else RpcInterface.UNKNOWN


def operation_of(interface: RpcInterface, name: str) -> int:
    """The operation's number within its interface, -1 if it is not known.

    >>> operation_of(RpcInterface.SVCCTL, "CreateServiceW"), operation_of(RpcInterface.WMI, "unknown-77")
    (12, 77)
    """
    found = _UNKNOWN.fullmatch(name.lower())
    if found:
        return min(int(found[1]), 0xFFFF)
    return _NUMBERS.get((interface, name.lower()), -1)


def share_kind(path: str, kind: str = "") -> ShareKind:
    r"""What kind of share a tree is, by the last part of its name; ``kind`` as Zeek has it.

    >>> share_kind(r"\\server\C$").name, share_kind(r"\\server\printer", "PRINT").name
    ('DRIVE', 'PRINTER')
    """
    last = path.replace("/", "\\").rstrip("\\").rpartition("\\")[2].lower()
    if not last:
        return ShareKind.NONE
    if _DRIVE.fullmatch(last):
        return ShareKind.DRIVE
    if last in _TREES:
        return _TREES[last]
    if kind.upper().startswith("PRINT"):
        return ShareKind.PRINTER
    return ShareKind.HIDDEN if last.endswith("$") else ShareKind.OTHER
