from benchmarks.step import RECIPES, plain_lenet
from convlens.experiment.recipe import load_recipe
from convlens.models.catalog import build, num_parameters


def test_plain_lenet_is_the_same_network() -> None:
    for name in RECIPES:
        recipe = load_recipe(name)
        ours = build(recipe.model_name, recipe.model)
        plain = plain_lenet(modern=recipe.model.activation == "relu")
        assert [p.shape for p in plain.parameters()] == [p.shape for p in ours.parameters()]
        kinds = [type(layer) for layer in ours.modules() if not list(layer.children())]
        assert [type(layer) for layer in plain] == kinds
        assert num_parameters(plain) == 61_706
