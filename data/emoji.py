"""Unpacks the emoji of the npm package emoji-datasource-google into a folder that vae-gpu reads.

    python3 emoji.py emoji-datasource-google-16.0.0.tgz FOLDER

FOLDER/train and FOLDER/test get a folder for each category with its pictures, 64x64 with transparency. Every tenth emoji
is for test, together with its variants of other skin tones: no test picture has a training picture that differs from it
in the tone alone. The pictures are Google's, Apache-2.0.
"""

import json
import sys
import tarfile
from pathlib import Path

PICTURES = "package/img/google/64/"
TEST = 10  # each tenth emoji


def main() -> None:
    archive, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with tarfile.open(archive) as tar:
        entries = json.load(tar.extractfile("package/emoji.json"))
        places = {}
        for number, emoji in enumerate(sorted(entries, key=lambda emoji: emoji["unified"])):
            part = "test" if number % TEST == TEST - 1 else "train"
            category = "-".join(emoji["category"].lower().replace("&", "and").split())
            for glyph in [emoji, *emoji.get("skin_variations", {}).values()]:
                if glyph["has_img_google"]:
                    places[glyph["image"]] = folder / part / category / glyph["image"]
        counts = {"train": 0, "test": 0}
        for member in tar:
            place = places.get(member.name.removeprefix(PICTURES)) if member.name.startswith(PICTURES) else None
            if place and member.isfile():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(tar.extractfile(member).read())
                counts[place.relative_to(folder).parts[0]] += 1
    print(f"{counts['train']} emoji for training and {counts['test']} for test are in {folder}")


if __name__ == "__main__":
    main()
