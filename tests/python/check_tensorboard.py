"""Reads the event files of a run with the tensorboard package, and compares the scalars with metrics.csv.
Usage: check_tensorboard.py RUN"""

import csv
import io
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SCALARS = {
    "elbo/train": "train_elbo",
    "elbo/test": "test_elbo",
    "reconstruction/train": "train_recon",
    "reconstruction/test": "test_recon",
    "kl/train": "train_kl",
    "kl/test": "test_kl",
    "objective/train": "train_objective",
    "speed/images_per_second": "images_per_second",
    "epoch": "epoch",
}


def main():
    run = Path(sys.argv[1])
    rows = list(csv.DictReader(io.StringIO((run / "metrics.csv").read_text())))
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "histograms": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    assert sorted(tags["scalars"]) == sorted(SCALARS), tags["scalars"]
    for tag, column in SCALARS.items():
        scalars = events.Scalars(tag)
        assert [s.step for s in scalars] == [int(row["step"]) for row in rows], (tag, scalars)
        for scalar, row in zip(scalars, rows, strict=True):
            assert abs(scalar.value - float(row[column])) <= 1e-5 * abs(float(row[column])) + 1e-30, tag
    for tag, folder in [("samples", "samples"), ("reconstructions", "reconstructions")]:
        images = events.Images(tag)
        files = sorted((run / folder).glob("*.png"))
        assert [image.encoded_image_string for image in images] == [file.read_bytes() for file in files], tag
        assert all(image.width == 146 and image.height >= 146 for image in images), tag
    histograms = events.Histograms("latent/mu")
    assert len(histograms) == len(rows)
    for histogram in histograms:
        value = histogram.histogram_value
        # 64 test images, 3 dimensions.
        assert value.num == sum(value.bucket) == 64 * 3, value
        assert value.min < value.max and len(value.bucket_limit) == len(value.bucket)
    print(f"tensorboard reads {len(rows)} epochs, {len(images)} pictures a tag")


if __name__ == "__main__":
    main()
