"""Small Parquet files as `pyarrow` writes them, of every compression that is read.

    python make_parquet.py

Writes goldens/parquet/NAME.parquet: the rows of each are the same 300 records, `{"id": i, "score": i / 10,
"question": "i and 1?", "answer": "i + 1"}`, and in conversations.parquet the same as `messages`.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).parent / "goldens" / "parquet"

COUNT = 300


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    questions = [f"{i} and 1?" for i in range(COUNT)]
    answers = [str(i + 1) for i in range(COUNT)]
    table = pa.table(
        {
            "id": pa.array(range(COUNT), pa.int64()),
            "score": pa.array([i / 10 for i in range(COUNT)], pa.float32()),
            "question": questions,
            "answer": answers,
            # Bytes that are no text, which nobody asks for.
            "image": pa.array([b"\xff\xd8"] * COUNT, pa.binary()),
        }
    )
    for compression in ["none", "snappy", "gzip", "zstd", "lz4"]:
        # Several row groups, and in each several pages.
        pq.write_table(
            table, OUT / f"{compression}.parquet", compression=compression, row_group_size=128, data_page_size=512
        )
    messages = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in zip(questions, answers)
    ]
    pq.write_table(pa.table({"messages": messages}), OUT / "conversations.parquet")


main()
