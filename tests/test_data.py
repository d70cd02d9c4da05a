"""The reader against torchvision's, the split, the batches, and what a reader is told about damaged files."""

import gzip
import hashlib
import pickle
import shutil

import pytest
import torch
import torchvision
from PIL import Image
from torchvision.transforms.functional import to_pil_image

from course_utils import cnn, data, training

PUBLISHED_MD5 = {name + ".gz": md5 for name, md5 in (
    ("train-images-idx3-ubyte", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    ("train-labels-idx1-ubyte", "25c81989df183df01b3e8a0aad5dffbe"),
    ("t10k-images-idx3-ubyte", "bef4ecab320f06d8554ea6380940ec79"),
    ("t10k-labels-idx1-ubyte", "bb300cfdad3c16e7a12a480ee83cd310"),
)}  # fmt: skip


@pytest.fixture(scope="module")
def splits():
    return data.fashion_mnist()


@pytest.mark.parametrize("name", data.CONTENT)
def test_the_files_are_the_published_ones(name):
    assert hashlib.md5((data.FOLDER / name).read_bytes()).hexdigest() == PUBLISHED_MD5[name]


def test_torchvision_knows_the_same_checksums():
    from torchvision.datasets import FashionMNIST

    assert dict(FashionMNIST.resources) == PUBLISHED_MD5


def test_reader_equals_torchvisions(tmp_path):
    from torchvision.datasets import FashionMNIST

    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in data.CONTENT:
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress((data.FOLDER / name).read_bytes()))
    for part, train in (("train", True), ("t10k", False)):
        theirs = FashionMNIST(tmp_path, train=train)
        assert torch.equal(data.read_idx(data.FOLDER / f"{part}-images-idx3-ubyte.gz"), theirs.data)
        assert torch.equal(data.read_idx(data.FOLDER / f"{part}-labels-idx1-ubyte.gz").long(), theirs.targets)
        names = tuple(theirs.classes)
    assert names == data.CLASSES


def test_splits_share_no_picture_and_lose_none(splits):
    train, validation, test = splits
    assert [len(part.images) for part in splits] == [55_000, 5_000, 10_000]
    assert all(part.images.shape[1:] == (1, 28, 28) and part.images.dtype == torch.uint8 for part in splits)
    assert all(part.labels.dtype == torch.int64 for part in splits)
    published = data.read_idx(data.FOLDER / "train-images-idx3-ubyte.gz").flatten(1)
    ours = torch.cat([validation.images, train.images]).flatten(1)
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours, published[order])
    assert torch.equal(order.sort().values, torch.arange(60_000))
    assert test.labels.bincount().tolist() == [1000] * 10


def test_split_is_the_same_each_time_whatever_the_seed(splits):
    torch.manual_seed(99)
    again = data.fashion_mnist()
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(splits, again, strict=True))


def test_mean_and_std_are_those_of_the_published_training_pictures():
    pixels = data.read_idx(data.FOLDER / "train-images-idx3-ubyte.gz").double() / 255
    assert pixels.mean().item() == pytest.approx(data.MEAN, abs=5e-5)
    assert pixels.std().item() == pytest.approx(data.STD, abs=5e-5)


def test_normalize_black_and_white():
    result = data.normalize(torch.tensor([0, 255], dtype=torch.uint8), mean=0.25, std=0.5)
    assert result.tolist() == [-0.5, 1.5]
    with pytest.raises(TypeError, match="images must be uint8"):
        data.normalize(torch.rand(3))


def test_batches_keep_order_and_end_with_a_short_one(splits):
    images, labels = splits[2].images[:10], splits[2].labels[:10]
    batches = data.Batches(images, labels, batch_size=4)
    assert len(batches) == 3
    for _ in range(2):
        xs, ys = zip(*batches, strict=True)
        assert [len(y) for y in ys] == [4, 4, 2]
        assert torch.equal(torch.cat(ys), labels)
        assert torch.equal(torch.cat(xs), data.normalize(images))


def test_batches_shuffle_by_their_own_generator(splits):
    images, labels = splits[2].images[:100], splits[2].labels[:100]

    def epochs():
        batches = data.Batches(images, labels, 32, torch.Generator().manual_seed(5))
        return [torch.cat([y for _, y in batches]) for _ in range(2)]

    first, second = epochs()
    assert not torch.equal(first, second), "each epoch has an order of its own"
    assert torch.equal(first.sort().values, labels.sort().values)
    torch.manual_seed(1)
    assert torch.equal(torch.stack(epochs()), torch.stack([first, second]))


def test_shuffled_images_keep_their_labels():
    images = torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1)
    for x, y in data.Batches(images, torch.arange(50), 7, torch.Generator().manual_seed(0), mean=0, std=1):
        assert torch.equal((x.flatten() * 255).round().long(), y)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            dict(images=torch.zeros(0, 1, 2, 2, dtype=torch.uint8), labels=torch.zeros(0), batch_size=2),
            "images",
        ),
        (
            dict(images=torch.zeros(3, 1, 2, 2, dtype=torch.uint8), labels=torch.zeros(2), batch_size=2),
            "labels",
        ),
        (
            dict(images=torch.zeros(3, 1, 2, 2, dtype=torch.uint8), labels=torch.zeros(3), batch_size=0),
            "batch_size",
        ),
    ],
)
def test_bad_batches_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        data.Batches(**arguments)


NAME = "t10k-labels-idx1-ubyte.gz"


def missing(path):
    path.unlink()


def truncated(path):
    path.write_bytes(path.read_bytes()[:1000])


def not_gzip(path):
    path.write_bytes(b"<html>404 not found</html>")


def flipped_in_the_middle(path):
    content = bytearray(path.read_bytes())
    content[2500] ^= 0xFF
    path.write_bytes(content)


def one_label_changed(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] = (content[-1] + 1) % 10
    path.write_bytes(gzip.compress(content))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (missing, "is missing"),
        (truncated, "is cut short or damaged"),
        (not_gzip, "is cut short or damaged"),
        (flipped_in_the_middle, "is cut short or damaged|its content is not the published one"),
        (one_label_changed, "its content is not the published one"),
    ],
)
def test_damaged_files_are_named_with_the_cure(tmp_path, harm, sentence):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in data.CONTENT:
        shutil.copy(data.FOLDER / name, folder)
    harm(folder / NAME)
    with pytest.raises(data.DataFileError, match=sentence) as caught:
        data.fashion_mnist(folder)
    message = str(caught.value)
    assert message.startswith(f"data/{NAME} ")
    assert message.endswith("git checkout -- data")
    assert message.count("\n") == 0


@pytest.mark.parametrize("content", [b"", b"\0\0\x0d\1\0\0\0\1\0\0\0\0", b"\0\0\x08\1\0\0\0\5\1\2\3", b"hello world"])
def test_other_files_are_no_idx_files(tmp_path, content):
    path = tmp_path / "other.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(data.DataFileError, match="no IDX file"):
        data.read_idx(path)


# ---- Other pictures


def write_cifar10(folder, count=6):
    """A tiny CIFAR-10 in its own format: five files to train with and one to test with, count pictures each."""
    inside = folder / "cifar-10-batches-py"
    inside.mkdir()
    generator = torch.Generator().manual_seed(0)
    written = {}
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        pixels = torch.randint(0, 256, (count, 3 * 32 * 32), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 10, (count,), generator=generator)
        with (inside / name).open("wb") as file:
            pickle.dump({"data": pixels.numpy(), "labels": labels.tolist()}, file)
        written[name] = data.Pictures(pixels.view(count, 3, 32, 32), labels)
    with (inside / "batches.meta").open("wb") as file:
        pickle.dump({"label_names": list("0123456789")}, file)
    return written


@pytest.fixture
def cifar10_folder(tmp_path, monkeypatch):
    """As torchvision expects it, but for the checksums, which only the published files have."""
    monkeypatch.setattr("torchvision.datasets.CIFAR10._check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *arguments: True)
    return tmp_path, write_cifar10(tmp_path)


def test_cifar10_is_read_from_its_own_files(cifar10_folder):
    folder, written = cifar10_folder
    train, validation, test = data.cifar10(folder)
    assert (len(train.labels), len(validation.labels), len(test.labels)) == (27, 3, 6)
    assert torch.equal(test.images, written["test_batch"].images)
    assert torch.equal(test.labels, written["test_batch"].labels)
    known = {
        picture.numpy().tobytes(): label
        for name in written
        if name != "test_batch"
        for picture, label in zip(*written[name], strict=True)
    }
    for part in (train, validation):
        assert all(known.pop(picture.numpy().tobytes()) == label for picture, label in zip(*part, strict=True))
    assert not known  # each picture in one part, with its own label


@pytest.mark.parametrize("net", [cnn.TutorialNet, cnn.PlainNet, cnn.FastNet])
def test_colour_pictures_go_through_the_same_workshop(cifar10_folder, net):
    train, validation, _ = data.cifar10(cifar10_folder[0])
    mean, std = data.mean_and_std(train.images)
    torch.manual_seed(0)
    model = net(channels=3, size=32) if net is cnn.TutorialNet else net(channels=3)
    feed, check = (data.Batches(*part, 9, mean=mean, std=std) for part in (train, validation))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    history = training.fit(model, feed, optimizer, steps=60, validation=check)
    assert sum(history.loss[-3:]) < 0.7 * sum(history.loss[:3])
    logits, labels = training.predict(model, check)
    assert logits.shape == (3, 10) and torch.equal(labels, validation.labels)


def test_cifar10_that_is_not_there_gets_a_sentence(tmp_path):
    with pytest.raises(data.DataFileError, match=r"^folder: there is no whole CIFAR-10 in"):
        data.cifar10(tmp_path)


def test_a_folder_of_pictures_by_class(tmp_path):
    """In colour, not square, and from PNG files, so that what comes out can be compared exactly."""
    images = torch.randint(0, 256, (6, 3, 5, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for number, image in enumerate(images):
        place = tmp_path / ("boots" if number % 2 else "bags")
        place.mkdir(exist_ok=True)
        to_pil_image(image).save(place / f"{number}.png")
    pictures = data.from_dataset(torchvision.datasets.ImageFolder(tmp_path))
    assert torch.equal(pictures.images, images[[0, 2, 4, 1, 3, 5]])
    assert pictures.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_pictures_of_two_sizes_are_named(tmp_path):
    grey = [(torch.zeros(1, 4, 4, dtype=torch.uint8), 0), (torch.zeros(1, 5, 4, dtype=torch.uint8), 1)]
    with pytest.raises(ValueError, match=r"^dataset: picture 1 is \(1, 5, 4\), the first one \(1, 4, 4\); bring all"):
        data.from_dataset(grey)
    with pytest.raises(ValueError, match=r"^dataset: there are no pictures"):
        data.from_dataset([])


def test_mean_and_std_of_each_channel():
    images = torch.randint(0, 256, (5, 3, 4, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    mean, std = data.mean_and_std(images)
    pixels = images.double() / 255
    torch.testing.assert_close(mean.flatten(), pixels.mean((0, 2, 3)).float())
    torch.testing.assert_close(std.flatten(), pixels.std((0, 2, 3), correction=0).float())
    normal = data.normalize(images, mean, std)
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)


def test_batches_augment_the_bytes_before_they_are_normalised():
    images = torch.full((4, 1, 2, 2), 255, dtype=torch.uint8)
    for x, _ in data.Batches(images, torch.zeros(4), 2, augment=lambda x: x // 2, mean=0.0, std=1.0):
        assert (x * 255).round().unique().tolist() == [127.0]


def test_a_palette_becomes_colours_and_other_depths_are_refused():
    red = Image.new("P", (2, 3), 1)
    red.putpalette([0, 0, 0, 255, 0, 0])
    assert data.from_dataset([(red, 0)]).images[0, :, 0, 0].tolist() == [255, 0, 0]
    with pytest.raises(ValueError, match=r"^dataset: picture 1 should be \(C, H, W\) of 8 bits, got torch\.int32"):
        data.from_dataset([(Image.new("L", (2, 3)), 0), (Image.new("I", (2, 3)), 1)])


@pytest.mark.parametrize(
    "images",
    [torch.rand(2, 1, 3, 3), torch.zeros(2, 3, 3, dtype=torch.uint8), torch.zeros(0, 1, 3, 3, dtype=torch.uint8)],
)
def test_mean_and_std_of_what_are_no_pictures(images):
    with pytest.raises((TypeError, ValueError), match=r"^images"):
        data.mean_and_std(images)


# ---- Folds


@pytest.mark.parametrize(("count", "folds"), [(10, 5), (11, 3), (7, 7), (2, 2), (100, 9)])
def test_each_picture_is_validated_once_and_trained_on_otherwise(count, folds):
    parts = data.k_fold(count, folds, torch.Generator().manual_seed(0))
    assert len(parts) == folds
    assert sorted(torch.cat([validation for _, validation in parts]).tolist()) == list(range(count))
    for known, validation in parts:
        assert sorted(torch.cat([known, validation]).tolist()) == list(range(count))
        assert len(validation) in (count // folds, -(-count // folds))


def test_folds_are_as_large_as_scikit_learns():
    from sklearn.model_selection import KFold

    ours = [len(v) for _, v in data.k_fold(23, 5, torch.Generator().manual_seed(0))]
    assert ours == [len(v) for _, v in KFold(5, shuffle=True, random_state=0).split(range(23))]


def test_the_generator_shuffles_the_folds():
    first, same, other = (data.k_fold(50, 5, torch.Generator().manual_seed(seed))[0][1] for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert first.tolist() != list(range(10))


@pytest.mark.parametrize("folds", [1, 0, 11])
def test_a_fold_count_out_of_range_is_named(folds):
    with pytest.raises(ValueError, match=r"^folds must lie between 2 and the number of pictures, 10; got"):
        data.k_fold(10, folds, torch.Generator())


# ---- Pictures drawn by code


@pytest.mark.parametrize("draw", [data.drawn_digits, data.drawn_shapes])
def test_drawn_pictures_differ_and_can_be_drawn_again(draw):
    pictures = draw(40, torch.Generator().manual_seed(3))
    assert pictures.shape == (40, 1, 28, 28) and pictures.dtype == torch.uint8
    inked = (pictures > 0).flatten(1).sum(dim=1)
    assert inked.min() >= 8 and inked.max() < 500  # something on every sheet, and no sheet full of it
    assert len(pictures.flatten(1).unique(dim=0)) > 35
    assert torch.equal(pictures, draw(40, torch.Generator().manual_seed(3)))
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        draw(0, torch.Generator())


def boxes(pictures):
    """Of each picture the middle and the size of what is drawn, (N, 2) each: downwards, to the right."""
    found = []
    for picture in pictures[:, 0] > 0:
        rows, columns = (picture.any(dim=dim).nonzero() for dim in (1, 0))
        middle = [(places.min() + places.max() + 1) / 2 for places in (rows, columns)]
        found.append([*middle, len(rows), len(columns)])
    return torch.tensor(found).split(2, dim=1)


def test_drawn_digits_stand_near_the_middle_and_are_large():
    middle, size = boxes(data.drawn_digits(400, torch.Generator().manual_seed(0)))
    assert (middle - 14).abs().max() <= 4.5 and (middle - 14).abs().amax(dim=0).min() >= 2.5
    assert (middle - 14).mean(dim=0).abs().max() < 1.2  # Pillow centres a line of text, not the ink
    assert size[:, 0].min() >= 12 and size[:, 0].max() <= 21
    assert size[:, 1].max() <= 16  # one digit, not two


def test_drawn_shapes_have_three_kinds_some_greys_and_lines_of_some_width():
    pictures = data.drawn_shapes(400, torch.Generator().manual_seed(0))
    middle, size = boxes(pictures)
    top_left, bottom_right = middle - size / 2, middle + size / 2
    assert top_left.min() == 1 and top_left.max() <= 9 and bottom_right.max() <= 28
    greys = pictures.amax(dim=(1, 2, 3))
    assert 100 <= greys.min() < 105 and greys.max() == 255
    corner = pictures[torch.arange(400), 0, top_left[:, 0].long(), top_left[:, 1].long()] > 0
    assert 0.4 < corner.double().mean() < 0.9  # lines and rectangles have ink there, ellipses have not
    thickness = torch.tensor([(row > 0).sum() for row in pictures[torch.arange(400), 0, :, middle[:, 1].long()]])
    assert len(set(thickness[thickness <= 6].tolist())) >= 5


def test_one_picture_and_batches_of_one_are_allowed():
    assert data.drawn_digits(1, torch.Generator().manual_seed(0)).shape == (1, 1, 28, 28)
    images, labels = torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.arange(3)
    assert [y.tolist() for _, y in data.Batches(images, labels, 1)] == [[0], [1], [2]]


def test_an_order_can_be_put_back():
    images, labels = torch.zeros(30, 1, 2, 2, dtype=torch.uint8), torch.arange(30)

    def order(batches):
        return torch.cat([y for _, y in batches]).tolist()

    batches = data.Batches(images, labels, 7, torch.Generator().manual_seed(1))
    state = batches.state_dict()
    first = order(batches)
    assert order(batches) != first
    batches.load_state_dict(state)
    assert order(batches) == first
    in_order = data.Batches(images, labels, 7)
    in_order.load_state_dict(in_order.state_dict())
    assert order(in_order) == list(range(30))
