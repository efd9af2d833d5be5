"""Frozen feature networks: the guide's maps and the user's own VGG-19 file."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from reenact.backbones.features import GuideFeatures, features_again, load_features, mean_activations, raw_maps
from reenact.backbones.reader import Reader, centres
from reenact.backbones.settings import FeatureSettings, NetworkSettings, WeightsSettings
from reenact.corpus.shards import write_stage
from reenact.errors import BadInput, SettingsError
from reenact.hashing import hash_file

# configurations E and D of the paper up to relu5_1, in torchvision's order: widths of convolutions with ReLU, P pooling
LAYERS = {
    "vgg19": [64, 64, "P", 128, 128, "P", 256, 256, 256, 256, "P", 512, 512, 512, 512, "P", 512],
    "vgg16": [64, 64, "P", 128, 128, "P", 256, 256, 256, "P", 512, 512, 512, "P", 512],
}


def a_vgg(name="vgg19"):
    """An ordinary Sequential of these layers: the independent reference, with keys as torchvision publishes them."""
    torch.manual_seed(0)
    layers, channels = [], 3
    for width in LAYERS[name]:
        if width == "P":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def rectified(network):
    """Indices of the ReLUs by block, as papers count them: relu1_1, relu1_2, ..."""
    names, block, number = {}, 1, 0
    for index, layer in enumerate(network):
        if isinstance(layer, nn.MaxPool2d):
            block, number = block + 1, 0
        if isinstance(layer, nn.ReLU):
            number += 1
            names[f"relu{block}_{number}"] = index
    return names


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """The reference and a .pth file of its weights beside keys of layers that aren't needed."""
    network = a_vgg()
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    file = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, file)
    return network, file


def settings(file, sha256=None, network="vgg19"):
    values = {"network": network, "file": str(file), "sha256": sha256 or hash_file(file)}
    return FeatureSettings.parse(values, where="train.features")


@pytest.mark.parametrize("name", ["vgg19", "vgg16"])
def test_vgg_maps_are_the_named_layers_of_normalised_rgb(name, tmp_path):
    network = a_vgg(name)
    file = tmp_path / f"{name}.pth"
    torch.save({f"features.{key}": value for key, value in network.state_dict().items()}, file)
    features = load_features(tmp_path, settings(file, network=name))
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    x, after = ((image + 1) / 2 - mean) / deviation, []
    with torch.no_grad():
        for layer in network:
            x = layer(x)
            after.append(x)
    relu = {layer: after[index] for layer, index in rectified(network).items()}
    assert len(relu) == {"vgg19": 13, "vgg16": 11}[name]
    stages, firsts = ("relu1_2", "relu2_2", "relu3_3", "relu4_3"), tuple(f"relu{block}_1" for block in range(1, 6))
    for made, layer in zip(features.stages(image), stages, strict=True):
        torch.testing.assert_close(made, relu[layer], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features.identity(image), relu["relu3_2"], rtol=1e-4, atol=1e-5)
    for made, layer in zip(features.firsts(image), firsts, strict=True):
        torch.testing.assert_close(made, relu[layer], rtol=1e-4, atol=1e-5)
    assert (features.name, features.sha256) == (name, hash_file(file))


def test_a_file_of_the_other_vgg_is_refused(vgg, tmp_path):
    with pytest.raises(BadInput, match=r"features\.17\.weight of VGG-16"):
        load_features(tmp_path, settings(vgg[1], network="vgg16"))


def test_vgg_reads_safetensors_too_and_has_no_gradient_for_weights(vgg, tmp_path):
    network, _ = vgg
    file = tmp_path / "vgg19.safetensors"
    save_file({f"features.{name}": value for name, value in network.state_dict().items()}, file)
    features = load_features(tmp_path, settings(file))
    image = torch.zeros(1, 3, 16, 16, requires_grad=True)
    features.maps(image).identity.sum().backward()
    assert image.grad.abs().sum() > 0
    assert not any(weight.requires_grad or bias.requires_grad for weight, bias in features.weights.values())


def test_vgg_may_be_named_by_its_address(vgg, tmp_path):
    values = {"network": "vgg19", "url": vgg[1].as_uri(), "sha256": hash_file(vgg[1])}
    features = load_features(tmp_path, FeatureSettings.parse(values, where="train.features"))
    assert features.sha256 == hash_file(vgg[1])


def test_a_vgg_file_with_another_checksum_is_refused(vgg, tmp_path):
    with pytest.raises(BadInput, match="sha256"):
        load_features(tmp_path, settings(vgg[1], sha256="0" * 64))


def test_a_missing_damaged_or_foreign_vgg_file_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        load_features(tmp_path, settings(tmp_path / "nothing.pth", sha256="0" * 64))
    file = tmp_path / "text.pth"
    file.write_text("not weights")
    with pytest.raises(BadInput, match="no readable file") as refused:
        load_features(tmp_path, settings(file))
    assert "\n" not in str(refused.value)
    assert "weights_only" not in str(refused.value)  # torch advises to run the file's code
    torch.save({"features.0.weight": torch.zeros(64, 3, 5, 5)}, file)
    with pytest.raises(BadInput, match=r"features\.0\.weight"):
        load_features(tmp_path, settings(file))


@pytest.mark.parametrize(
    "values",
    [
        {"network": "vgg19"},
        {"network": "vgg19", "file": "x"},
        {"network": "guide", "file": "x"},
        {"network": "vgg16"},
        {"network": "vgg19", "file": "x", "url": "http://x/y", "sha256": "0" * 64},
    ],
)
def test_half_a_choice_of_network_is_a_settings_error(values):
    with pytest.raises(SettingsError, match=r"train\.features"):
        FeatureSettings.parse(values, where="train.features")


# ---- the guide


def trained_looking_reader():
    """A reader whose batch statistics are not those of a fresh one."""
    torch.manual_seed(0)
    reader = Reader(width=3)
    for _ in range(3):
        reader(torch.rand(8, 3, 64, 64) * 2 - 1)
    return reader.eval()


def test_stages_halve_the_side_and_the_identity_map_is_inside_the_third():
    reader = trained_looking_reader()
    *stages, identity, second, fourth = raw_maps(reader.trunk(torch.zeros(1, 3, 64, 64)))
    assert [tuple(stage.shape[1:]) for stage in stages] == [(3, 64, 64), (6, 32, 32), (12, 16, 16), (24, 8, 8)]
    assert identity.shape == stages[2].shape
    assert not torch.equal(identity, stages[2])
    assert (second.shape, fourth.shape) == (stages[1].shape, stages[3].shape)
    assert not torch.equal(second, stages[1])
    assert not torch.equal(fourth, stages[3])


def test_scaled_maps_have_unit_mean_on_the_pictures_they_were_scaled_on():
    reader = trained_looking_reader()
    pictures = [torch.rand(4, 3, 64, 64) * 2 - 1 for _ in range(3)]
    features = GuideFeatures(reader, sha256="0" * 64, scales=mean_activations(reader, pictures))
    maps = [features.maps(batch) for batch in pictures]
    for stage in range(4):
        assert torch.stack([m.stages[stage].mean() for m in maps]).mean().item() == pytest.approx(1, rel=1e-4)
    assert torch.stack([m.identity.mean() for m in maps]).mean().item() == pytest.approx(1, rel=1e-4)
    firsts = [features.firsts(batch) for batch in pictures]
    for place in range(5):
        assert torch.stack([each[place].mean() for each in firsts]).mean().item() == pytest.approx(1, rel=1e-4)


def test_a_guide_without_scales_of_its_first_layers_is_one_sentence():
    features = GuideFeatures(trained_looking_reader(), sha256="0" * 64, scales=(1.0,) * 5)
    with pytest.raises(BadInput, match="train_guide again"):
        features.firsts(torch.zeros(1, 3, 64, 64))


def test_folding_the_normalisation_changes_nothing():
    reader, image = trained_looking_reader(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = reader(image)
        after = reader.fuse()(image)
    for name in ("landmarks", "actions", "pose", "embedding"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), rtol=1e-3, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in reader.modules())


def test_gradients_reach_the_picture_and_never_the_weights():
    features = GuideFeatures(trained_looking_reader(), sha256="0" * 64, scales=(1.0,) * 5)
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    sum(stage.sum() for stage in features.stages(image)).backward()
    assert image.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in features.reader.parameters())


def test_centre_of_mass_finds_a_peak_in_crop_coordinates():
    maps = torch.full((1, 2, 16, 8), -50.0)
    maps[0, 0, 3, 5] = 50
    maps[0, 1, 15, 0] = maps[0, 1, 15, 1] = 50
    torch.testing.assert_close(centres(maps)[0], torch.tensor([[5.5 / 8, 3.5 / 16], [1 / 8, 15.5 / 16]]))


def write_guide(folder, reader, **changes):
    folder.mkdir(exist_ok=True)
    save_file(reader.state_dict(), folder / "reader.safetensors")
    facts = {"width": 3, "embedding": 64, "sha256": hash_file(folder / "reader.safetensors"), "scales": [1.0] * 5}
    write_stage(folder, kind="guide", **{**facts, **changes})


def test_a_guide_read_back_sees_the_same(tmp_path):
    reader, image = trained_looking_reader(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = raw_maps(reader.trunk(image))[:5]
    write_guide(tmp_path, reader)
    features = load_features(tmp_path, FeatureSettings())
    for made, wanted in zip((*features.stages(image), features.identity(image)), before, strict=True):
        torch.testing.assert_close(made, wanted, rtol=1e-3, atol=1e-4)
    assert features.sha256 == json.loads((tmp_path / "stage.json").read_text())["sha256"]


def test_the_network_of_a_training_is_found_again_or_said_to_be_another(vgg, tmp_path):
    write_guide(tmp_path, trained_looking_reader())
    known = {"name": "guide", "sha256": load_features(tmp_path, FeatureSettings()).sha256}
    assert features_again(tmp_path, known, NetworkSettings()).sha256 == known["sha256"]
    assert features_again(tmp_path, None, NetworkSettings()) is None
    with pytest.raises(BadInput, match="Run train again"):
        features_again(tmp_path, {**known, "sha256": "0" * 64}, NetworkSettings())
    file, sha256 = vgg[1], hash_file(vgg[1])
    with pytest.raises(BadInput, match=r"evaluate\.networks\.vgg19"):
        features_again(tmp_path, {"name": "vgg19", "sha256": sha256}, NetworkSettings())
    named = NetworkSettings(vgg19=WeightsSettings(file=str(file), sha256=sha256))
    assert features_again(tmp_path, {"name": "vgg19", "sha256": sha256}, named).name == "vgg19"
    with pytest.raises(BadInput, match=r"VGG-16 .* evaluate\.networks\.vgg16"):
        features_again(tmp_path, {"name": "vgg16", "sha256": sha256}, named)


def test_a_missing_damaged_or_foreign_guide_is_refused(tmp_path):
    with pytest.raises(BadInput, match="guide"):
        load_features(tmp_path / "none", FeatureSettings())
    write_guide(tmp_path, trained_looking_reader(), width=5)
    with pytest.raises(BadInput, match="train_guide"):
        load_features(tmp_path, FeatureSettings())
    write_guide(tmp_path, trained_looking_reader(), sha256="0" * 64)
    with pytest.raises(BadInput, match="train_guide"):
        load_features(tmp_path, FeatureSettings())
