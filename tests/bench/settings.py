"""The settings that PyTorch is measured with: the best that are known for it."""

# glibc's allocator gives large blocks back to the system and takes them anew each step, page by page. With these
# it keeps them: a tenth off a step of model M, at the price of memory.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 28),
}


def environment(folder, threads, is_passive, keeps_memory):
    """Variables of a process in which PyTorch computes with so many threads. In the folder stands what it compiles."""
    found = {"OMP_NUM_THREADS": str(threads)}
    # Compiling in its own process leaves none behind that wait for more to compile.
    found["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    # What is compiled has the number of threads in it, and is kept by a key that has not.
    found["TORCHINDUCTOR_CACHE_DIR"] = str(folder / f"compiled-{threads}")
    # By default its threads spin for a moment when they wait, which is faster while nothing else runs.
    found |= {"OMP_WAIT_POLICY": "PASSIVE"} if is_passive else {}
    return found | (KEEP_MEMORY if keeps_memory else {})
