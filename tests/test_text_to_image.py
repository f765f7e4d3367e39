"""Text to image: the encoder and its loss, the game of three terms, mixed captions, what travels where."""

import dataclasses
import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES
from click.testing import CliRunner

import keras_gen as kg
from keras_gen.cli import main
from keras_gen.core.captions import ALPHABET, characters
from keras_gen.core.noise import draw
from keras_gen.exporters.loaded_artifact import LoadedArtifact
from keras_gen.layers.mean_recurrence import MeanRecurrence
from keras_gen.losses.text_matching import joint_embedding_loss, matching_discriminator_loss, mixed_generator_loss
from keras_gen.models.conditional.captions import chosen_captions, wrong_images
from keras_gen.networks.char_cnn_rnn import char_cnn_rnn, lengths, shortest
from keras_gen.networks.text_gan import text_discriminator, text_generator

CASE = next(case for case in CASES if case.model is kg.TextToImageGAN)
# Of images large enough to learn something of.
LARGER = dataclasses.replace(CASE, arguments={**CASE.arguments, "image_spec": kg.ImageSpec(8, 8, 1, 17)})
WORDS = CASE.arguments["vocabulary"]


# --- the text encoder's network ------------------------------------------------------------------------------------------


def test_the_encoder_has_the_papers_lengths_and_weights():
    assert lengths(201) == [198, 66, 63, 21, 18, 8] and min(lengths(shortest())) == 1
    network = char_cnn_rnn(201)
    assert network.output_shape == (None, 1024)
    maps = (4 * 70 * 384 + 384, 4 * 384 * 512 + 512, 4 * 512 * 256 + 256)
    assert network.count_params() == sum(maps) + (2 * 256 * 256 + 256) + (256 * 1024 + 1024)
    for length, wish in ((shortest() - 1, "at least 66"), (0, "at least 1")):
        with pytest.raises(kg.InvalidInput, match=wish):
            char_cnn_rnn(length)
    with pytest.raises(kg.InvalidInput, match="give 3, one a convolution"):
        char_cnn_rnn(201, (4, 5))


def test_a_character_is_one_column_and_an_unknown_one_none():
    network = char_cnn_rnn(66, (3, 4, 5), 6)
    hot = network.layers[1](characters(["a-\u00e9 "], 66)).numpy()[0]
    assert hot.shape == (66, 70)
    assert hot.sum(axis=1)[:5].tolist() == [1, 1, 0, 1, 0]
    assert hot[:2].argmax(axis=1).tolist() == [0, ALPHABET.rindex("-")] and hot[3].argmax() == 69
    rows = characters(["a red dot", "A RED dot", "a red d\u00e9t", "a red d t"], 66)
    same, other = network(rows[:2]).numpy(), network(rows[2:]).numpy()
    np.testing.assert_array_equal(same[0], same[1])
    assert np.abs(other[0] - other[1]).max() > 0  # no column is not the column of a space


def test_the_recurrence_by_hand():
    layer = MeanRecurrence(2)
    layer.build((None, 3, 2))
    weights = (np.array([[1.0, -1.0], [0.5, 2.0]]), np.array([[0.0, 1.0], [-2.0, 0.5]]), np.array([0.1, -0.2]))
    layer.set_weights(weights)
    x, state, states = np.random.default_rng(0).normal(size=(3, 2)), np.zeros(2), []
    for step in x:
        state = np.maximum(step @ weights[0] + state @ weights[1] + weights[2], 0)
        states.append(state)
    np.testing.assert_allclose(layer(x[None])[0], np.mean(states, axis=0), rtol=1e-5)


# --- its loss ------------------------------------------------------------------------------------------------------------


def joint(images, texts, same=None, margin=1.0):
    images, texts = (tf.constant(each, tf.float32) for each in (images, texts))
    same = np.eye(len(images), dtype=bool) if same is None else same
    return joint_embedding_loss(images, texts, images, texts, same, margin)


def test_the_joint_embedding_loss_by_hand():
    """Scores [[2, 1.5], [0, 1]]: each pair pays half of what its row and its column lack."""
    images, texts = np.eye(2), np.array([[2.0, 0.0], [1.5, 1.0]])
    np.testing.assert_allclose(images @ texts.T, [[2.0, 1.5], [0.0, 1.0]])
    first = max(0, 1 + 1.5 - 2) + max(0, 1 + 0 - 2)
    second = max(0, 1 + 0 - 1) + max(0, 1 + 1.5 - 1)
    np.testing.assert_allclose(joint(images, texts), [first / 2, second / 2])
    np.testing.assert_allclose(joint(3 * np.eye(2), np.eye(2)), 0)  # the margins hold
    np.testing.assert_allclose(joint(images, texts, np.ones((2, 2), bool)), 0)  # of one kind
    np.testing.assert_allclose(joint(images, texts, margin=0.25), [0, 0.75 / 2])


def test_the_joint_embedding_loss_is_symmetric_and_its_gradient_that_of_differences():
    generator = np.random.default_rng(1)
    images, texts = generator.normal(size=(2, 5, 4))
    np.testing.assert_allclose(joint(images, texts), joint(texts, images), rtol=1e-5)
    point = tf.Variable(images, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            joint_embedding_loss(point, texts.astype("f"), point, texts.astype("f"), np.eye(5, dtype=bool))
        )
    gradient, step = tape.gradient(loss, point).numpy(), 1e-3
    for place in ((0, 1), (3, 2), (4, 0)):
        moved = [images.copy(), images.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        difference = (np.mean(joint(moved[0], texts)) - np.mean(joint(moved[1], texts))) / (2 * step)
        assert abs(difference - gradient[place]) < 2e-3


# --- the game's losses ----------------------------------------------------------------------------------------------------


def test_real_images_with_wrong_captions_count_half_as_fakes_do():
    real, fake, wrong = (tf.constant([[value], [-value]]) for value in (0.7, -0.3, 1.1))
    parts = [np.logaddexp(0, sign * each.numpy()[:, 0]) for sign, each in ((-1, real), (1, fake), (1, wrong))]
    np.testing.assert_allclose(
        matching_discriminator_loss(real, fake, wrong), parts[0] + 0.5 * parts[1] + 0.5 * parts[2], rtol=1e-6
    )
    np.testing.assert_allclose(matching_discriminator_loss(real, fake), parts[0] + parts[1], rtol=1e-6)
    found = matching_discriminator_loss(real, fake, wrong, tf.constant([1.0, 0.0]))
    np.testing.assert_allclose(found[1], parts[0][1] + 0.5 * parts[1][1], rtol=1e-6)


@pytest.mark.parametrize("size", [1, 4, 5])
def test_mixed_captions_count_as_further_examples(size):
    plain, mixed = np.arange(1.0, size + 1), 10.0 * np.arange(1, (size + 1) // 2 + 1)
    loss = mixed_generator_loss(tf.constant(plain, tf.float32), tf.constant(mixed, tf.float32), 0.5)
    assert loss.shape == (size,)
    np.testing.assert_allclose(np.mean(loss), (plain.sum() + 0.5 * mixed.sum()) / (len(plain) + len(mixed)), rtol=1e-6)


def test_a_wrong_image_has_another_caption_and_another_label():
    images = tf.reshape(tf.range(6, dtype=tf.float32), (6, 1, 1, 1))
    captions = np.array([[1], [1], [2], [3], [3], [1]])
    others, found = wrong_images(images, {"caption": tf.constant(captions)}, training=True)
    assert others[:, 0, 0, 0].numpy().tolist() == [2, 2, 3, 5, 5, 2] and found.numpy().tolist() == [1] * 6
    labelled = {"caption": tf.constant(captions), "label": tf.constant([0, 0, 0, 1, 1, 0])}
    others, found = wrong_images(images, labelled, training=True)
    assert others[:, 0, 0, 0].numpy().tolist() == [3, 3, 3, 5, 5, 3] and found.numpy().tolist() == [1] * 6
    _, found = wrong_images(images, {"caption": tf.ones((6, 1), tf.int32)}, training=False)
    assert not found.numpy().any()


def test_captions_are_drawn_among_an_images_own():
    captions = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    batch = {"caption": tf.constant(captions[:, 0]), "captions": tf.constant(captions)}
    found = chosen_captions(batch, tf.constant([[0.0, 0.34], [0.99, 0.67]]), 4)
    np.testing.assert_array_equal(found, [captions[0, [0, 1]], captions[1, [2, 2]]])
    alone = chosen_captions({"caption": batch["caption"]}, tf.zeros((2, 2)), 4)
    np.testing.assert_array_equal(alone[:, 0], captions[:, 0])
    with pytest.raises(kg.InvalidInput, match=r"'captions' are int64 \[2, 3, 4\]; wanted .* \[b, k, 5\]"):
        chosen_captions(batch, tf.zeros((2, 2)), 5)


# --- the networks ---------------------------------------------------------------------------------------------------------


def test_the_networks_have_the_papers_weights():
    """18,909,699 and 4,032,321 in the authors' code, of which 4,224 and 2,368 are biases that it sets to zero."""
    spec = kg.ImageSpec(64, 64, 3)
    for network, count in ((text_generator(spec, 100, 1024), 18_905_475), (text_discriminator(spec, 1024), 4_029_953)):
        assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == count
    small = text_generator(kg.ImageSpec(32, 32, 3), 10, 8, width=4)
    assert small.output_shape == (None, 32, 32, 3)


# --- the model --------------------------------------------------------------------------------------------------------------


def of_step(model, batch, training=True):
    noise = draw(model.step_spec(), len(batch["image"]), seed=2)
    batch = {name: tf.constant(values) for name, values in batch.items()}
    return batch, {name: tf.constant(values) for name, values in noise.items()}


def test_equal_captions_mixed_are_those_captions():
    """With noise of its own, a mixed caption of twice the same costs what that caption costs."""
    model = CASE.build()
    captions = np.repeat(characters(["first"], 66), 4, axis=0)
    batch, noise = of_step(model, {"image": CASE.images(4), "caption": captions})
    noise["mixed_z"] = noise["z"]
    fakes = model.make_fakes(batch, noise, training=True)
    np.testing.assert_allclose(fakes["mixed_embedding"], fakes["embedding"][::2], rtol=1e-5)
    # The means of two neighbours, round a ring.
    batch["caption"] = tf.constant(characters(["first", "second", "third"], 66))
    batch["image"] = batch["image"][:3]
    fakes = model.make_fakes(batch, {name: values[:3] for name, values in noise.items()}, training=True)
    t = fakes["embedding"].numpy()
    np.testing.assert_allclose(fakes["mixed_embedding"], [(t[0] + t[1]) / 2, (t[2] + t[0]) / 2], rtol=1e-5)


def test_the_discriminator_never_sees_mixed_captions():
    model = CASE.build()
    batch, noise = of_step(model, CASE.data(8))
    weights, gradients = model.discriminator.trainable_weights, []
    for change in (0.0, 5.0):
        fakes = model.make_fakes(batch, {**noise, "mixed_z": noise["mixed_z"] + change}, training=True)
        shown = model.shown_to_discriminator(batch, fakes)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.discriminator_loss(batch, shown, training=True))
        gradients.append(tape.gradient(loss, weights))
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_encoder_stays_as_it_was():
    model = CASE.build()
    before = model.encoder.get_weights()
    model.train_on_batch(CASE.data(8))
    for one, other in zip(before, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not model.encoder.trainable_weights


@pytest.mark.parametrize("matching,mixing", [(False, False), (True, False), (False, True)])
def test_variants_leave_their_terms_out(matching, mixing):
    model = CASE.build(matching=matching, mixing=mixing)
    batch, noise = of_step(model, CASE.data(6))
    fakes = model.make_fakes(batch, noise, training=True)
    assert ("mixed" in fakes) == mixing == ("mixed_z" in model.step_spec())
    assert ("accuracy_on_wrong" in model.trackers) == matching
    for loss in (model.discriminator_loss, model.generator_loss):
        assert loss(batch, fakes, training=True).shape == (6,)


def test_sentences_and_noise_both_move_the_picture():
    model = CASE.shaken()
    first, same = model.sample(4, seed=1, caption="first"), model.sample(4, seed=1, caption=["First"] * 4)
    np.testing.assert_array_equal(first, same)
    assert (model.sample(4, seed=1, caption="last bar") != first).any() and (first[0] != first[1]).any()
    z = draw(model.noise_spec(), 4, seed=1)["z"]
    np.testing.assert_array_equal(model.images_of_embeddings(z, np.repeat(model.embed_captions("first"), 4, 0)), first)
    for given, match in (
        ({}, "wants caption="),
        ({"caption": "frist"}, "'frist', which is not known; the nearest is 'first'"),
        ({"caption": ""}, "is empty"),
        ({"caption": "bar " * 17}, "has 68 characters; this model takes 66"),
        ({"caption": ["first", "last"]}, "holds 2 sentences for 4 images"),
    ):
        with pytest.raises(kg.InvalidInput, match=match):
            model.sample(4, **given)


def test_a_sentence_goes_to_the_command_line_the_artifact_and_the_script(tmp_path):
    model = CASE.shaken()
    model.save(tmp_path / "model.keras")
    manifest = model.export(tmp_path / "artifact", "onnx")
    entry = manifest["endpoints"]["sample"]["inputs"]["caption"]
    assert entry["alphabet"] == ALPHABET and entry["vocabulary"] == WORDS
    wanted = model.sample(4, seed=3, caption="third bar")
    read = LoadedArtifact(tmp_path / "artifact")
    assert read.condition_spec() == model.condition_spec()
    script = _script()
    for found in (
        keras.models.load_model(tmp_path / "model.keras").sample(4, seed=3, caption="third bar"),
        read.sample(4, seed=3, caption="third bar"),
        script.draw(tmp_path / "artifact", 4, seed=3, conditions={"caption": "third bar"})[0],
    ):
        assert np.abs(found.astype(int) - wanted).max() <= 1 and (found != wanted).mean() <= 0.01
    out = tmp_path / "grid.png"
    assert script.main([str(tmp_path / "artifact"), "-n", "4", "--caption", "third bar", "--out", str(out)]) == 0
    drawn = out.read_bytes()
    result = CliRunner().invoke(
        main, ["sample", str(tmp_path / "model.keras"), "-n", "4", "--caption", "thrid bar", "--out", str(out)]
    )
    assert result.exit_code == 2 and "the nearest is 'third'" in result.output and out.read_bytes() == drawn
    result = CliRunner().invoke(
        main, ["sample", str(tmp_path / "model.keras"), "-n", "4", "--caption", "third bar", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output


def _script():
    path = Path(__file__).parents[1] / "export" / "onnxruntime" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_networks_of_ones_own():
    encoder = keras.Sequential([keras.Input((66,)), keras.layers.Dense(3)])
    model = CASE.build(encoder=encoder)
    assert model.generator.input_shape[1] == (None, 3) and model.encoder is encoder
    for change, match in (
        (
            {"encoder": keras.Sequential([keras.Input((50,)), keras.layers.Dense(3)])},
            r"encoder takes \[b, 50\]; wanted",
        ),
        (
            {"image_encoder": keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])},
            r"image_encoder gives \[b, 16\]",
        ),
        ({"generator": keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])}, "generator takes"),
        ({"vocabulary": "first"}, "vocabulary="),
        ({"captions_averaged": 0}, "captions_averaged=0"),
    ):
        with pytest.raises(kg.InvalidInput, match=match):
            kg.TextToImageGAN(**{**CASE.arguments, **change})


# --- the text encoder as a model ------------------------------------------------------------------------------------------------


def tiny_encoder(**changes):
    keras.utils.set_random_seed(3)
    arguments = dict(maps=(8, 8, 8), features=8, width=8, vocabulary=WORDS, seed=4, margin=0.5)
    return kg.TextEncoder(LARGER.spec, 66, **{**arguments, **changes})


def test_it_learns_which_caption_belongs_to_an_image(tmp_path):
    encoder, data = tiny_encoder(), LARGER.data(64)
    encoder.compile(keras.optimizers.Adam(5e-3))
    history = encoder.fit(data, batch_size=16, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    held_out = LARGER.data(40, seed=9)
    scores = encoder.embed_images(held_out["image"]) @ encoder.embed_captions(WORDS[:4]).T
    places = held_out["image"].astype(float).sum((1, 3)).reshape(40, 4, -1).sum(2).argmax(1)
    assert (scores.argmax(axis=1) == places).mean() > 0.9
    encoder.save(tmp_path / "encoder.keras")
    again = keras.models.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(again.embed_captions("first"), encoder.embed_captions("first"))
    assert set(again.export(tmp_path / "artifact", "onnx")["endpoints"]) == {"embed_caption", "embed_image"}
    # Within the GAN it brings its words and its judge.
    model = kg.TextToImageGAN(LARGER.spec, 5, encoder=again, width=4, generator_width=4, projection=4)
    assert model.caption == encoder.caption and model.image_encoder is again.image_network
    np.testing.assert_allclose(model.embed_captions("first"), encoder.embed_captions("first"), rtol=1e-5)
    model.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.embed_captions("first"), model.embed_captions("first"))
    assert loaded.caption == model.caption


def test_two_replicas_train_the_encoder_as_one_does(two_replicas):
    data, models = LARGER.data(16), []
    for scope in (tf.distribute.get_strategy().scope(), two_replicas.scope()):
        with scope:
            model = tiny_encoder()
            model.compile(keras.optimizers.SGD(0.05))
        model.fit(data, batch_size=8, epochs=2, verbose=0)
        models.append(model)
    moved = max(np.abs(a - b).max() for a, b in zip(models[0].get_weights(), tiny_encoder().get_weights()))
    assert moved > 1e-4
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_image_features_of_a_classifier_stay_as_they_are():
    classifier = kg.Classifier(LARGER.spec, 4, width=4, features=6)
    encoder = tiny_encoder(image_network=classifier, trains_images=False, features=6)
    images = LARGER.images(5)
    _, features = classifier.endpoints()["classify"].function({"image": images}).values()
    np.testing.assert_allclose(encoder.embed_images(images), features, rtol=1e-4, atol=1e-5)
    before = encoder.image_network.get_weights()
    encoder.compile(keras.optimizers.SGD(0.1))
    encoder.fit(LARGER.data(16), batch_size=8, verbose=0)
    for one, other in zip(before, encoder.image_network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(kg.InvalidInput, match="text_network gives 8 features, image_network 6"):
        tiny_encoder(image_network=classifier)


# --- the style encoder ------------------------------------------------------------------------------------------------


def dots(latent=3):
    """A generator of 4x4 images whose noise is three of the pixels, whatever the caption, which is a fourth one; and its GAN."""
    keras.utils.set_random_seed(5)
    z, embedding = keras.Input((latent,), name="z"), keras.Input((8,), name="embedding")
    word = keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(0.0, 20.0, seed=1))(embedding)
    told = keras.layers.Concatenate()([z, word])
    wide = keras.layers.Dense(16, use_bias=False, kernel_initializer="identity")(told)
    images = keras.layers.Reshape((4, 4, 1))(keras.layers.Rescaling(0.2)(wide))
    generator = keras.Model([z, embedding], images)
    arguments = {**CASE.arguments, "image_spec": kg.ImageSpec(4, 4, 1), "latent_dim": latent, "ema_decay": None}
    return kg.TextToImageGAN(generator=generator, **arguments)


def test_a_style_encoder_finds_the_noise_and_keeps_it_for_another_caption(tmp_path):
    model, data = dots(), CASE.data(64)
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    style = kg.StyleEncoder(model.image_spec, model, network=network, seed=2)
    before = model.get_weights()
    style.compile(keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(0.1, 160)))
    history = style.fit(data, batch_size=16, epochs=40, verbose=0).history
    assert history["explained"][0] < 0.5 and history["explained"][-1] > 0.99
    np.testing.assert_allclose(history["loss"][-1], 1 - history["explained"][-1], atol=1e-5)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.generator.trainable and model.generator.trainable_weights  # it may go on to be trained
    z = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    first, second = (style.drawn(z, [word] * 6) for word in ("first", "last bar"))
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(style.styles(first), z, atol=0.2)
    assert np.abs(style.transfer(first, "last bar").astype(int) - second).max() <= 0.2 * 0.2 * 128
    style.save(tmp_path / "style.keras")
    again = keras.models.load_model(tmp_path / "style.keras")
    np.testing.assert_array_equal(again.transfer(first, ["bar"] * 6), style.transfer(first, "bar"))
    manifest = again.export(tmp_path / "artifact", ["saved_model", "onnx"])
    assert set(manifest["endpoints"]) == {"style", "transfer"}


def test_two_replicas_train_the_style_encoder_as_one_does(two_replicas):
    found = []
    for scope in (tf.distribute.get_strategy().scope(), two_replicas.scope()):
        keras.utils.set_random_seed(4)
        with scope:
            style = kg.StyleEncoder((4, 4, 1), dots(), width=2, seed=2)
            style.compile(keras.optimizers.SGD(0.1))
        begun = style.network.get_weights()
        style.fit(CASE.data(16), batch_size=8, epochs=2, verbose=0)
        found.append(style.network.get_weights())
    assert max(np.abs(a - b).max() for a, b in zip(begun, found[1])) > 1e-4
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_a_style_encoder_cannot_take_is_said():
    style = kg.StyleEncoder((4, 4, 1), dots(), width=2)
    images = np.zeros((2, 4, 4, 1), np.uint8)
    for change, match in (
        (lambda: kg.StyleEncoder((4, 4, 1)), "give it a TextToImageGAN"),
        (lambda: kg.StyleEncoder((8, 8, 1), dots()), r"generator gives \[b, 4, 4, 1\]; wanted images \[b, 8, 8, 1\]"),
        (lambda: style.transfer(images, ["first"] * 3), "3 captions came for 2 images"),
        (lambda: style.transfer(images, "firts"), "first"),
        (lambda: style.drawn(np.zeros((2, 4)), ["first"] * 2), r"z has shape \[2, 4\] .* wanted \[2, 3\]"),
    ):
        with pytest.raises(kg.InvalidInput, match=match):
            change()
