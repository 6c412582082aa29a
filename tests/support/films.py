"""Writes a small folder of MovieLens."""

import csv
import random
from pathlib import Path

GENRES = ("Action", "Comedy", "Drama", "Horror|War")


def write_films(folder: Path, *, users: int = 20, films: int = 12, seed: int = 0) -> Path:
    """Write a MovieLens folder; users rate in an order that differs from the file's."""
    drawn = random.Random(seed)
    folder.mkdir()
    with (folder / "movies.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["movieId", "title", "genres"])
        rows.writerows([n, f"Film {n} (19{70 + n})", GENRES[n % 4]] for n in range(films))
    with (folder / "ratings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["userId", "movieId", "rating", "timestamp"])
        for user in range(users):
            times = drawn.sample(range(1000, 9000), films)
            for film in drawn.sample(range(films), drawn.randint(4, films)):
                rows.writerow([user, film, drawn.randint(1, 10) / 2, times[film]])
    return folder
