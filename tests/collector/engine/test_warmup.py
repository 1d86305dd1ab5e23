"""After the warm-up nobody waits for a compiler any more."""

import subprocess
import sys
import textwrap

CODE = """
    import gc

    from numba import types
    from numba.core.dispatcher import Dispatcher

    from dijkwacht.offline import OfflineCollector, cut
    from dijkwacht.recording import Recorded
    from dijkwacht_collector.engine.warmup import warm_up
    from dijkwacht_detectors.discover import shipped_detectors
    from dijkwacht_lab.recordings import recording

    def kernels():
        return [d for d in gc.get_objects() if isinstance(d, Dispatcher)]

    def compiled():
        return {(d.__module__, d.__name__, str(s)) for d in kernels() for s in d.signatures}

    assert not [name for name in compiled() if name[0].startswith("dijkwacht_collector")]
    warm_up(shipped_detectors())
    # A cache outlives a release, and cannot be read once a class that its index names is gone.
    named = [d.__name__ for d in kernels() for s in d.signatures for t in s
             if isinstance(t, types.BaseNamedTuple)]
    assert not named, named
    before = compiled()
    with OfflineCollector() as collector:
        for name in ("demo", "clinic"):
            for batch in cut(Recorded([recording(name) / "traffic.pcap"]).rows(), 700):
                collector.play(name, batch)
        collector.finish()
    assert before
    print(sorted(compiled() - before))
"""


def test_a_replay_compiles_nothing_after_it_and_no_kernel_takes_a_class_of_ours():
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
