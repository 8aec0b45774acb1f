"""What is printed at the end."""

import generation
import machine
import paper
import quickstart
import step_tables
from summary import busy_turns

TABLES = {
    "steps": (step_tables.main, step_tables.chains, step_tables.memory, step_tables.detail, step_tables.peaks),
    "quickstart": (quickstart.tables,),
    "generation": (generation.tables,),
    "paper": (paper.tables,),
}


def turns_in(result):
    """Every turn of a result."""
    if isinstance(result, dict):
        if "others" in result:
            yield result
        else:
            for value in result.values():
                yield from turns_in(value)
    elif isinstance(result, list):
        for value in result:
            yield from turns_in(value)


def versions(found):
    """What coec was measured against, as it says itself."""
    results = [result for part in found.values() for result in part]
    said = {f"{name} {result[name]}" for name in ("torch", "transformers") for result in results if name in result}
    return sorted(said)


def show(asked, built, found):
    print(", ".join([f"coec {built.version}", *versions(found), machine.name()]))
    for part in asked.parts:
        for make in TABLES[part] if found[part] else ():
            if text := make(found[part]):
                print(f"\n{text}")
    print()
    if asked.passive:
        print("PyTorch's threads slept while they waited (--passive), which is not its fastest setting.")
    if asked.system_malloc:
        print("PyTorch's allocator was left as it is (--system-malloc), which is not its fastest setting.")
    turns, disturbed = busy_turns(turns_in(found))
    if not turns:
        print("Whether others used the processor is not known on this system.")
    elif disturbed:
        shares = f"in {disturbed} of {turns} turns others used more than a tenth of a processor"
        print(f"WARNING: {shares}: these are no figures to quote.")
    else:
        print(f"In none of {turns} turns did others use more than a tenth of a processor.")
