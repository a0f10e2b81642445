"""What is known in advance about the image sets: file names, shapes, checksums, and where they are served."""

from math import prod
from typing import NamedTuple

CLASSES = 10


class IdxFile(NamedTuple):
    """One IDX file: its name without `.gz`, and the shape and SHA-256 of its uncompressed content."""

    name: str
    key: str
    """What the same array is called in Keras' archive."""
    shape: tuple[int, ...]
    sha256: str

    @property
    def content_bytes(self) -> int:
        """Size of the uncompressed file in bytes: magic number, one 4-byte size per dimension, elements."""
        return 4 + 4 * len(self.shape) + prod(self.shape)


class ImageSet(NamedTuple):
    """An image data set in four IDX files, or in one `.npz` archive."""

    name: str
    """Also the name of the folder and of the archive, however they spell it; see `fastnn.datasets.locate`."""
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile
    mirrors: tuple[str, ...]
    """Addresses that serve `<file name>.gz`, each ending in a slash, in order of preference."""
    system_folders: tuple[str, ...] = ()
    """Where operating systems' packages install the files."""

    @property
    def archive(self) -> str:
        """Name of the archive that holds the same four arrays."""
        return f"{self.name}.npz"

    @property
    def files(self) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
        """The four files."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels


IMAGE_SETS: dict[str, ImageSet] = {
    "mnist": ImageSet(
        name="mnist",
        train_images=IdxFile(
            "train-images-idx3-ubyte",
            "x_train",
            (60000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        train_labels=IdxFile(
            "train-labels-idx1-ubyte",
            "y_train",
            (60000,),
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        test_images=IdxFile(
            "t10k-images-idx3-ubyte",
            "x_test",
            (10000, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        test_labels=IdxFile(
            "t10k-labels-idx1-ubyte",
            "y_test",
            (10000,),
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion_mnist": ImageSet(
        name="fashion_mnist",
        train_images=IdxFile(
            "train-images-idx3-ubyte",
            "x_train",
            (60000, 28, 28),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        train_labels=IdxFile(
            "train-labels-idx1-ubyte",
            "y_train",
            (60000,),
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        test_images=IdxFile(
            "t10k-images-idx3-ubyte",
            "x_test",
            (10000, 28, 28),
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        test_labels=IdxFile(
            "t10k-labels-idx1-ubyte",
            "y_test",
            (10000,),
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        system_folders=("/usr/share/datasets/fashion-mnist",),  # Debian: dataset-fashion-mnist
    ),
}
