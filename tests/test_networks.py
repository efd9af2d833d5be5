"""Networks of the user's own: files in the published layouts, found or fetched, checked, and read like references."""

import http.server
import threading

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from skimage.transform import SimilarityTransform
from torchmetrics.functional.image import lpips as published_lpips

from onnx_files import onnx_bytes
from published_networks import an_alexnet, an_inception
from reenact.backbones.arcface import PLACES, ArcFace, aligned, five_points, similarity
from reenact.backbones.inception import FidInception
from reenact.backbones.lpips import Lpips, packaged_heads
from reenact.backbones.settings import NetworkSettings, WeightsSettings
from reenact.backbones.weights import weights_file
from reenact.errors import BadInput, SettingsError, StorageError
from reenact.hashing import hash_file

KNOWN = "evaluate.networks.inception"


@pytest.fixture(scope="module")
def photographs():
    """(3, 64, 64, 3) uint8: parts of photographs that come with scikit-image."""
    pictures = [getattr(data, name)()[:400, :400, :3] for name in ("astronaut", "coffee", "immunohistochemistry")]
    return np.stack([cv2.resize(one, (64, 64), interpolation=cv2.INTER_AREA) for one in pictures])


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    """The reference and a file of its weights as pytorch-fid publishes them."""
    network, file = an_inception(), tmp_path_factory.mktemp("inception") / "pt_inception.pth"
    torch.save(network.state_dict(), file)
    return network, file


def load(file, **more):
    return FidInception.load(file, sha256=hash_file(file), **more)


def test_inception_is_the_network_of_its_file(inception, photographs):
    network, file = inception
    batch = torch.from_numpy(photographs)
    with torch.no_grad():
        # skimage has no such resize: torch's own is the published one
        large = torch.nn.functional.interpolate(batch.permute(0, 3, 1, 2) / 255, (299, 299), mode="bilinear")
        expected = network(2 * large - 1)
    ours = load(file)
    found = ours.features(batch)
    assert found.shape == (3, 2048)
    scale = expected.abs().mean().item()
    assert expected.std(dim=0).mean() > 0.01 * scale  # the pictures differ, so equality says something
    np.testing.assert_allclose(found / scale, expected / scale, atol=2e-4)
    alone = torch.cat([ours.features(batch[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(found / scale, alone / scale, atol=1e-5)


def test_a_key_that_is_missing_or_of_another_shape_is_named(inception, tmp_path):
    state, file = dict(inception[0].state_dict()), tmp_path / "weights.pth"
    wide = state.pop("Mixed_7c.branch3x3_2b.conv.weight")
    torch.save(state, file)
    with pytest.raises(BadInput, match=r"weights.pth: Mixed_7c\.branch3x3_2b\.conv\.weight of Inception .*missing"):
        load(file)
    state["Mixed_7c.branch3x3_2b.conv.weight"] = wide.transpose(2, 3)
    torch.save(state, file)
    with pytest.raises(BadInput, match=r"should be of shape \(384, 384, 3, 1\), it is of shape \(384, 384, 1, 3\)"):
        load(file)


# ---- LPIPS


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory):
    """torchvision's layout, with a layer that isn't needed."""
    features, file = an_alexnet(), tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    torch.save({**state, "classifier.1.bias": torch.zeros(2)}, file)
    return features, file


def test_lpips_is_torchmetrics_with_the_same_weights(alexnet, photographs, monkeypatch):
    features, file = alexnet
    # torchmetrics would take AlexNet from torchvision, which is not needed for anything else here.
    monkeypatch.setattr(published_lpips, "_get_tv_model_features", lambda *_: features)
    reference = published_lpips._LPIPS(pretrained=True, net="alex", pnet_rand=True)
    a = torch.from_numpy(photographs)
    b = torch.from_numpy(np.stack([cv2.GaussianBlur(one, (5, 5), 1.5) for one in photographs]))
    expected = reference(*(one.permute(0, 3, 1, 2) / 127.5 - 1 for one in (a, b))).flatten()
    network = Lpips.load(file, packaged_heads(), sha256={})
    found = network.distances(a, b)
    assert (expected > 1e-4).all()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(torch.cat([network.distances(a[i : i + 1], b[i : i + 1]) for i in range(3)]), found,
                               rtol=1e-4, atol=1e-7)  # fmt: skip
    np.testing.assert_array_equal(network.distances(a, a), 0)


def test_heads_of_ones_own_and_their_shapes_are_checked(alexnet, tmp_path):
    heads = {f"lin{k}.model.1.weight": torch.ones(1, n, 1, 1) for k, n in enumerate((64, 192, 384, 256, 256))}
    save_file(heads, tmp_path / "heads.safetensors")
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8))
    network = Lpips.load(alexnet[1], tmp_path / "heads.safetensors", sha256={})
    assert (network.distances(pictures[:1], pictures[1:]) > 0).all()
    save_file({**heads, "lin3.model.1.weight": torch.ones(1, 255, 1, 1)}, tmp_path / "heads.safetensors")
    with pytest.raises(BadInput, match=r"lin3\.model\.1\.weight of LPIPS should be of shape \(1, 256, 1, 1\)"):
        Lpips.load(alexnet[1], tmp_path / "heads.safetensors", sha256={})


# ---- ArcFace


def a_face(side=96, seed=0):
    """(68, 2) with the five points nearly where ArcFace has them, turned, shrunk and moved."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.2, 0.8, (68, 2))
    turn = np.deg2rad(20)
    turned = (PLACES - 56) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * 0.4 + [50, 45]
    for place, group in enumerate(([*range(36, 42)], [*range(42, 48)], [30], [48], [54])):
        points[group] = (turned[place] + 0.5) / side
    return points


def test_the_alignment_is_the_least_squares_similarity():
    rng = np.random.default_rng(0)
    points = PLACES * 0.5 + rng.normal(0, 3, PLACES.shape)
    expected = SimilarityTransform.from_estimate(points, PLACES).params[:2]
    np.testing.assert_allclose(similarity(points, PLACES), expected, atol=1e-8)


def test_an_aligned_face_has_its_points_in_their_places():
    side, landmarks = 96, a_face()
    for place, point in enumerate(five_points(landmarks) * side - 0.5):
        y, x = np.mgrid[:side, :side]
        spot = 255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 8)
        moved = aligned(np.repeat(spot[..., None], 3, axis=2).astype(np.uint8), landmarks)[..., 0].astype(float)
        assert moved.shape == (112, 112)
        y, x = np.mgrid[:112, :112]
        centre = np.array([(x * moved).sum(), (y * moved).sum()]) / moved.sum()
        np.testing.assert_allclose(centre, PLACES[place], atol=0.4)


def test_arcface_is_given_scaled_rgb(tmp_path):
    weights = np.random.default_rng(0).normal(size=(8, 3, 112, 112)).astype(np.float32)
    file = tmp_path / "arcface.onnx"
    file.write_bytes(onnx_bytes(weights, 112, flat=True))
    pictures = list(np.random.default_rng(1).integers(0, 255, (2, 96, 96, 3), dtype=np.uint8))
    landmarks = np.stack([a_face(seed=0), a_face(seed=1)])
    found = ArcFace(file, sha256=hash_file(file)).embeddings(pictures, landmarks)
    faces = np.stack([aligned(picture, points) for picture, points in zip(pictures, landmarks, strict=True)])
    expected = np.einsum("nyxc,dcyx->nd", (faces.astype(np.float64) - 127.5) / 127.5, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)


def test_an_onnx_file_of_something_else_is_named(tmp_path):
    file = tmp_path / "arcface.onnx"
    file.write_bytes(b"no network")
    with pytest.raises(BadInput, match=r"arcface.onnx: OpenCV can't load"):
        ArcFace(file, sha256="")
    file.write_bytes(onnx_bytes(np.ones((2, 3, 100, 100), np.float32), 112))
    with pytest.raises(BadInput, match=r"gives \(1, 2, 13, 13\) for one face, expected \(1, features\)"):
        ArcFace(file, sha256="")


# ---- where files come from


def settings(**values):
    return WeightsSettings.parse(values, where=KNOWN)


@pytest.fixture
def server(tmp_path):
    """Loopback http of a folder: its address, the folder, and what was asked."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder, asked
        running.shutdown()


def test_a_url_is_fetched_once_and_a_damaged_copy_again(server, tmp_path):
    address, folder, asked = server
    (folder / "net.pth").write_bytes(b"weights")
    given = settings(url=f"{address}/net.pth", sha256=hash_file(folder / "net.pth"))
    found = [weights_file(given, where=KNOWN, cache=tmp_path / "cache") for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].read_bytes() == b"weights"
    assert len(asked) == 1
    found[0].write_bytes(b"half")
    assert weights_file(given, where=KNOWN, cache=tmp_path / "cache").read_bytes() == b"weights"


def test_a_wrong_checksum_is_refused_before_anything_is_parsed(server, tmp_path):
    address, folder, _ = server
    (folder / "net.pth").write_bytes(b"other")
    given = settings(url=f"{address}/net.pth", sha256="0" * 64)
    with pytest.raises(BadInput, match=rf"the sha256 of what is there is [0-9a-f]{{64}}, {KNOWN} says 000"):
        weights_file(given, where=KNOWN, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.pth"))
    with pytest.raises(BadInput, match=f"its sha256 is [0-9a-f]*, {KNOWN} says 000"):
        weights_file(settings(file=str(folder / "net.pth"), sha256="0" * 64), where=KNOWN, cache=tmp_path)


def test_an_address_that_can_not_be_read_is_one_sentence_without_passwords(server, tmp_path):
    def fetch(url):
        weights_file(settings(url=url, sha256="0" * 64), where=KNOWN, cache=tmp_path)

    with pytest.raises(StorageError, match=f"none.pth: can't be fetched .404.*Check {KNOWN}.url"):
        fetch(f"{server[0]}/none.pth")
    with pytest.raises(SettingsError, match=r"ftp://\*\*\*@there/net.pth.: known are https, http, s3 and file"):
        fetch("ftp://me:secret@there/net.pth")


def test_file_addresses_and_missing_checksums(tmp_path):
    file = tmp_path / "net with space.pth"
    file.write_bytes(b"weights")
    sha256 = hash_file(file)
    assert weights_file(settings(url=file.as_uri(), sha256=sha256), where=KNOWN, cache=tmp_path) == file
    with pytest.raises(SettingsError, match=f"{KNOWN}.sha256: missing; .* has {sha256}"):
        weights_file(settings(file=str(file)), where=KNOWN, cache=tmp_path)
    with pytest.raises(BadInput, match="no such file of weights"):
        weights_file(settings(file=str(tmp_path / "none"), sha256=sha256), where=KNOWN, cache=tmp_path)


@pytest.mark.parametrize(
    "values", [{"file": "a", "url": "http://b/c", "sha256": "0" * 64}, {"url": "http://b/c"}, {"sha256": "0" * 64}]
)
def test_half_a_place_is_a_settings_error(values):
    with pytest.raises(SettingsError, match=r"evaluate\.networks\.lpips"):
        NetworkSettings.parse({"lpips": values}, where="evaluate.networks")
