"""The Vision Transformer against torchvision's, whose weights it takes and gives back; its parts against PyTorch's."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from course_utils import vit
from tests.drawing import drawn_cases

drawn = drawn_cases(200)
small = st.integers(1, 4)
seeds = st.integers(0, 99)


def pictures(*shape, seed=0, dtype=torch.float64, layout="plain"):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if layout == "channels last" else x


# --- Patches ------------------------------------------------------------------------------------------------


@drawn
@given(
    small, small, st.tuples(small, small), st.tuples(small, small), seeds, st.sampled_from(["plain", "channels last"])
)
def test_patches_are_those_of_unfold_and_go_back(count, channels, grid, patch, seed, layout):
    (rows, columns), (ph, pw) = grid, patch
    x = pictures(count, channels, rows * ph, columns * pw, seed=seed, layout=layout)
    patches = vit.patchify(x, patch)
    torch.testing.assert_close(patches, F.unfold(x, patch, stride=patch).mT, rtol=0, atol=0)
    torch.testing.assert_close(vit.unpatchify(patches, patch, x.shape[-2:]), x, rtol=0, atol=0)


def test_patches_of_numbered_pixels():
    x = torch.arange(24).view(1, 1, 4, 6)
    assert vit.patchify(x, (2, 3))[0].tolist() == [
        [0, 1, 2, 6, 7, 8],
        [3, 4, 5, 9, 10, 11],
        [12, 13, 14, 18, 19, 20],
        [15, 16, 17, 21, 22, 23],
    ]


@drawn
@given(
    small,
    small,
    st.tuples(small, small),
    st.tuples(small, small),
    st.sampled_from([torch.float32, torch.float64]),
    seeds,
)
def test_the_embedding_is_a_convolution_that_strides(count, channels, grid, patch, dtype, seed):
    (rows, columns), (ph, pw) = grid, patch
    embedding = vit.PatchEmbedding(patch, channels, width=5).to(dtype)
    results = []
    for convolution in (False, True):
        x = pictures(count, channels, rows * ph, columns * pw, seed=seed, dtype=dtype).requires_grad_()
        weight, bias = embedding.projection.parameters()
        if convolution:
            tokens = F.conv2d(x, weight.view(5, channels, ph, pw), bias, stride=patch).flatten(2).mT
        else:
            tokens = embedding(x)
        upstream = torch.linspace(0.5, 1.5, tokens.numel(), dtype=dtype).view(tokens.shape)
        results.append([tokens, *torch.autograd.grad(tokens, (x, weight, bias), upstream)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_a_class_token_stands_in_front_and_learns():
    embedding = vit.PatchEmbedding(2, 1, width=3, class_token=True)
    nn.init.normal_(embedding.class_token)
    tokens = embedding(torch.randn(4, 1, 4, 6))
    assert tokens.shape == (4, 7, 3)
    assert torch.equal(tokens[:, 0], embedding.class_token[0].expand(4, 3))
    tokens.sum().backward()
    assert (embedding.class_token.grad == 4).all()


# --- Equal to a model nobody here wrote ---------------------------------------------------------------------


def small_of_torchvisions():
    return VisionTransformer(32, 8, num_layers=3, num_heads=4, hidden_dim=24, mlp_dim=40, num_classes=7)


MODELS = {
    "small": (small_of_torchvisions, dict(image_size=32, patch_size=8, width=24, depth=3, mlp_width=40, classes=7)),
    "vit_b_16": (
        lambda: torchvision.models.vit_b_16(weights=None),
        dict(image_size=224, patch_size=16, width=768, depth=12, heads=12, mlp_width=3072, classes=1000),
    ),
    "vit_b_32": (
        lambda: torchvision.models.vit_b_32(weights=None),
        dict(image_size=224, patch_size=32, width=768, depth=12, heads=12, mlp_width=3072, classes=1000),
    ),
}


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_torchvisions_weights_give_torchvisions_logits(name, capsys):
    make, sizes = MODELS[name]
    theirs = make().eval()
    generator = torch.Generator().manual_seed(0)
    for p in theirs.parameters():  # its own begin with a head of zeros; a spread at which nothing vanishes or explodes
        spread = p.shape[-1] ** -0.5 if p.dim() > 1 else 0.5
        p.copy_(torch.randn(p.shape, generator=generator) * spread)
    ours = vit.ViT(channels=3, class_token=True, **sizes).eval()
    ours.load_state_dict(vit.from_torchvision(theirs.state_dict()))
    x = pictures(2, 3, sizes["image_size"], sizes["image_size"], dtype=torch.float32)
    logits, their_logits = ours(x), theirs(x)
    assert their_logits.std() > 0.3
    with capsys.disabled():
        print(f"\n{name}: largest difference of logits {(logits - their_logits).abs().max():.1e}", end=" ")
    torch.testing.assert_close(logits, their_logits, rtol=0, atol=1e-4)

    theirs.heads = nn.Identity()
    torch.testing.assert_close(ours.features(x), theirs(x), rtol=0, atol=1e-4)

    back = make()
    back.load_state_dict(vit.to_torchvision(ours))
    torch.testing.assert_close(back.eval()(x), their_logits, rtol=0, atol=0)


def test_gradients_are_torchvisions_too():
    theirs = small_of_torchvisions().double()
    for p in theirs.parameters():
        nn.init.normal_(p, std=0.2)
    ours = vit.ViT(32, 8, 3, 24, 3, 4, 40, 7, class_token=True).double()
    ours.load_state_dict(vit.from_torchvision(theirs.state_dict()))
    x, labels = pictures(3, 3, 32, 32), torch.tensor([0, 6, 3])
    for model in (ours, theirs):
        F.cross_entropy(model(x), labels).backward()
    expected = vit.from_torchvision({name: p.grad for name, p in theirs.named_parameters()})
    for name, p in ours.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], msg=name)


# --- Its options --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize(("image", "patch", "channels"), [(28, 7, 1), ((8, 12), (4, 3), 3)])
def test_every_kind_of_vit_learns_with_all_its_parameters(class_token, positions, image, patch, channels):
    model = vit.ViT(image, patch, channels, class_token=class_token, positions=positions, drop_path=0.1)
    nn.init.normal_(model.head.weight)
    size = (image, image) if isinstance(image, int) else image
    model(torch.randn(3, channels, *size)).square().sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name
    assert model.eval()(torch.randn(1, channels, *size)).shape == (1, 10)


def test_parameters_are_as_many_as_torchvisions():
    count = sum(p.numel() for p in vit.ViT(class_token=True).parameters())
    assert count == 105_546
    theirs = VisionTransformer(28, 7, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=10)
    assert sum(p.numel() for p in theirs.parameters()) == count + 2 * 49 * 64  # two channels more


def test_without_positions_the_order_of_patches_does_not_matter():
    x, order = torch.randn(4, 1, 28, 28), torch.randperm(16, generator=torch.Generator().manual_seed(0))
    mixed = vit.unpatchify(vit.patchify(x, 7)[:, order], 7, 28)
    for positions, same in (("none", True), ("learned", False), ("sinusoidal", False)):
        model = vit.ViT(positions=positions)
        nn.init.normal_(model.head.weight)
        assert torch.allclose(model(x), model(mixed), atol=1e-5) == same


def test_stochastic_depth_grows_with_depth_and_rests_in_evaluation():
    model = vit.ViT(depth=3, drop_path=0.4)
    assert [block.drop_path.p for block in model.blocks] == pytest.approx([0, 0.2, 0.4])
    nn.init.normal_(model.head.weight)
    x = torch.randn(8, 1, 28, 28)
    assert not torch.allclose(model(x), model(x))
    torch.testing.assert_close(model.eval()(x), model(x))


@pytest.mark.parametrize(("size", "tokens"), [((28, 28), 16), ((16, 32), 8), ((30, 27), 12), ((4, 4), 1)])
def test_the_hybrid_is_a_vit_on_the_maps_of_its_stem(size, tokens):
    model = vit.HybridViT(size, channels=3, width=8, heads=2).eval()
    x = torch.randn(2, 3, *size)
    assert model.tokens(x).shape == (2, tokens, 8)
    on_maps = vit.ViT(model.grid, 1, channels=64, width=8, depth=2, heads=2)
    on_maps.load_state_dict({name: p for name, p in model.state_dict().items() if not name.startswith("stem.")})
    torch.testing.assert_close(model(x), on_maps(model.stem(x)))


def test_the_hybrid_has_no_bias_before_a_norm_and_hands_its_options_on():
    assert sum(p.numel() for p in vit.HybridViT().parameters()) == 105_594
    assert vit.HybridViT(positions="none").positions is None


# --- Positions for another size -----------------------------------------------------------------------------


@pytest.mark.parametrize("class_token", [0, 1])
def test_positions_are_resized_as_maps(class_token):
    positions = torch.randn(1, class_token + 12, 5, dtype=torch.float64)
    resized = vit.resize_positions(positions, (3, 4), (6, 5))
    assert torch.equal(resized[:, :class_token], positions[:, :class_token])
    for d in range(5):  # a number of the code at a time, as a picture
        plane = positions[:, class_token:, d].view(1, 1, 3, 4)
        expected = F.interpolate(plane, (6, 5), mode="bicubic", align_corners=False)
        torch.testing.assert_close(resized[0, class_token:, d].view(6, 5), expected[0, 0])
    torch.testing.assert_close(vit.resize_positions(positions, (3, 4), (3, 4)), positions)


def test_a_vit_for_larger_pictures():
    model, larger = vit.ViT(28, 7, class_token=True), vit.ViT(56, 7, class_token=True)
    state = model.state_dict()
    state["positions"] = vit.resize_positions(state["positions"], model.grid, larger.grid)
    larger.load_state_dict(state)
    assert larger(torch.randn(1, 1, 56, 56)).shape == (1, 10)


# --- What is refused ----------------------------------------------------------------------------------------

x = torch.zeros(2, 1, 28, 28)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: vit.patchify(x, 5), "patch_size must divide the picture"),
        (lambda: vit.patchify(x, (7, 3)), "patch_size must divide the picture"),
        (lambda: vit.patchify(x, 0), "patch_size must divide the picture"),
        (lambda: vit.patchify(x, (0, 7)), "patch_size must divide the picture"),
        (lambda: vit.patchify(x, (7, 0)), "patch_size must divide the picture"),
        (lambda: vit.patchify(x, (7, 7, 7)), "a size must be"),
        (lambda: vit.patchify(x[0], 7), "x must have shape"),
        (lambda: vit.unpatchify(torch.zeros(1, 15, 49), 7, 28), "patches must have shape"),
        (lambda: vit.unpatchify(torch.zeros(1, 16, 50), 7, 28), "patches must have shape"),
        (lambda: vit.unpatchify(torch.zeros(16, 49), 7, 28), "patches must have shape"),
        (lambda: vit.PatchEmbedding(7, 3, 8)(x), "x must have shape"),
        (lambda: vit.ViT(28, 5), "patch_size must divide the picture"),
        (lambda: vit.ViT(width=30), "num_heads must divide embed_dim"),
        (lambda: vit.ViT(positions="rotary"), "positions must be"),
        (lambda: vit.ViT()(torch.zeros(2, 1, 35, 35)), "x: pictures of shape"),
        (lambda: vit.ViT()(torch.zeros(2, 3, 28, 28)), "x must have shape"),
        (lambda: vit.resize_positions(torch.zeros(1, 16, 4), (3, 3), (4, 4)), "positions must have shape"),
        (lambda: vit.to_torchvision(vit.ViT()), "model must have a class token"),
        (lambda: vit.to_torchvision(vit.ViT(class_token=True, positions="none")), "model must have a class token"),
        (lambda: vit.from_torchvision({"fc.weight": x}), "state: 'fc.weight'"),
    ],
)
def test_bad_arguments_are_named(make, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        make()
