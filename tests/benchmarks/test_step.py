from benchmarks.step import RECIPES, plain_lenet
from convlens.experiment.recipe import load_recipe
from convlens.models.catalog import build, num_parameters


def test_plain_lenet_is_the_same_network() -> None:
    for name in RECIPES:
        recipe = load_recipe(name)
        ours = build(recipe.model_name, recipe.model)
        plain = plain_lenet(modern=recipe.model.activation == "relu")
        assert [p.shape for p in plain.parameters()] == [p.shape for p in ours.parameters()]
        layers = [layer for layer in ours.modules() if not list(layer.children())]
        for theirs, layer in zip(plain, layers, strict=True):
            assert isinstance(layer, type(theirs))  # ours are torch's with a choice of algorithm
        assert num_parameters(plain) == 61_706
