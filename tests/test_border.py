"""One border for every way in: the same batches from every form, the same refusals, nothing dropped unsaid."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen as kg
from keras_gen.core.image_data import ImageData

SPEC = kg.ImageSpec(8, 8, 1, 17)
IMAGES = np.random.default_rng(0).integers(0, 17, (32, 8, 8, 1), dtype=np.uint8)
LABELS = np.arange(32) % 3


class Batches(keras.utils.PyDataset):
    """Batches of arrays, the last one short, as users write it."""

    def __init__(self, *arrays, size=8):
        super().__init__()
        self.arrays, self.size, self.epochs_ended = arrays, size, 0

    def __len__(self):
        return -(-len(self.arrays[0]) // self.size)

    def __getitem__(self, index):
        part = tuple(values[index * self.size : (index + 1) * self.size] for values in self.arrays)
        return part if len(part) > 1 else part[0]

    def on_epoch_end(self):
        self.epochs_ended += 1


def dataset(*arrays, size=8, **options):
    whole = arrays if len(arrays) > 1 else arrays[0]
    return tf.data.Dataset.from_tensor_slices(whole).batch(size, **options)


def generator(*arrays, size=8):
    return (Batches(*arrays, size=size)[index] for index in range(len(arrays[0]) // size))


def sgd_vae(**options):
    keras.utils.set_random_seed(3)
    model = kg.VAE(SPEC, latent_dim=2, hidden=(8,))
    model.compile(keras.optimizers.SGD(1e-4), **options)
    return model


def sgd_gan(critic_steps=2, **options):
    keras.utils.set_random_seed(3)
    model = kg.GAN(SPEC, latent_dim=4, width=4, critic_steps=critic_steps)
    model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), **options)
    return model


@pytest.fixture(scope="module")
def labelled():
    model = kg.GatedPixelCNN(SPEC, filters=4, blocks=1, first_kernel=3, kernel_size=3, classes=3)
    model.compile()
    return model


@pytest.fixture(scope="module")
def classifier():
    model = kg.Classifier(SPEC, 3, width=4, features=8)
    model.compile()
    return model


@pytest.fixture(scope="module")
def vae():
    return sgd_vae()


FORMS = {
    "pair": lambda x, y: ((x, y),),
    "dict": lambda x, y: ({"image": x, "label": y},),
    "ImageData": lambda x, y: (ImageData("mine", "train", SPEC, {"image": x, "label": y}),),
    "dataset": lambda x, y: (dataset(x, y),),
    "dataset of dicts": lambda x, y: (dataset({"image": x, "label": y}),),
    "dataset of dict and label": lambda x, y: (tf.data.Dataset.zip(dataset({"image": x}), dataset(y)),),
    "PyDataset": lambda x, y: (Batches(x, y),),
    "generator": lambda x, y: (generator(x, y),),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_measured_alike(labelled, form):
    wanted = labelled.evaluate(IMAGES[:16], LABELS[:16], batch_size=8, verbose=0)
    found = labelled.evaluate(*FORMS[form](IMAGES[:16], LABELS[:16]), verbose=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_trains_and_validates(vae, form):
    data = [FORMS[form](IMAGES[:16], LABELS[:16])[0] for _ in range(2)]
    options = {"batch_size": 8} if isinstance(data[0], (tuple, dict, ImageData)) else {}
    history = vae.fit(data[0], **options, validation_data=data[1], verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()


def test_a_pydataset_keeps_its_length_and_its_hooks(vae):
    source, steps = Batches(IMAGES[:20], LABELS[:20]), []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    vae.fit(source, epochs=2, callbacks=[count], verbose=0)
    assert steps == [0, 1, 2, 0, 1, 2] and source.epochs_ended >= 2


WAYS = {
    "fit": lambda model, *data: model.fit(*data, verbose=0),
    "evaluate": lambda model, *data: model.evaluate(*data, verbose=0),
    "validation_data": lambda model, *data: model.fit(IMAGES, LABELS, 8, validation_data=data, verbose=0),
    "train_on_batch": lambda model, *data: model.train_on_batch(*data),
    "test_on_batch": lambda model, *data: model.test_on_batch(*data),
    "predict": lambda model, *data: model.predict(data, verbose=0),
    "predict_on_batch": lambda model, *data: model.predict_on_batch(data),
    "call": lambda model, *data: model(data),
    "dataset": lambda model, *data: model.fit(dataset(*data), verbose=0),
    "PyDataset": lambda model, *data: model.fit(Batches(*data), verbose=0),
    "generator": lambda model, *data: model.evaluate(generator(*data), verbose=0),
}
WRONG = {
    "floats": ((IMAGES / np.float32(16), LABELS), "float32"),
    "levels": ((np.full_like(IMAGES, 200), LABELS), "level (200|16, up to 200)"),
    "shape": ((IMAGES[:, :4], LABELS), r"wanted uint8 \[[nb], 8, 8, 1\]"),
    "no label": ((IMAGES,), "wants a label for each image"),
    "label too high": ((IMAGES, LABELS + 1), r"label 3 is out of range; wanted integers in \[0, 2\]"),
    "label below": ((IMAGES, LABELS - 1), "label -1 is out of range"),
    "float labels": ((IMAGES, LABELS + 0.5), r"label is float.*wanted integers in \[0, 2\]"),
    "one-hot": ((IMAGES, np.eye(3, dtype=int)[LABELS]), r"label is int64 \[.*, 3\]; wanted integers"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", WRONG)
def test_every_way_in_refuses_the_same(labelled, way, what):
    data, words = WRONG[what]
    before = labelled.get_weights()
    with pytest.raises(kg.InvalidInput, match=words):
        WAYS[way](labelled, *data)
    for old, now in zip(before, labelled.get_weights()):
        np.testing.assert_array_equal(old, now)


@pytest.mark.parametrize(
    "name,train",
    [
        ("sample_weight", lambda m: m.fit(IMAGES, LABELS, sample_weight=np.ones(32))),
        ("sample_weight", lambda m: m.fit((IMAGES, LABELS, np.ones(32)))),
        ("sample_weight", lambda m: m.fit(dataset(IMAGES, LABELS, np.ones(32)))),
        ("sample_weight", lambda m: m.fit(Batches(IMAGES, LABELS, np.ones(32)))),
        ("sample_weight", lambda m: m.fit(generator(IMAGES, LABELS, np.ones(32)))),
        ("sample_weight", lambda m: m.fit({"image": IMAGES, "sample_weight": np.ones(32)})),
        ("sample_weight", lambda m: m.fit(IMAGES, LABELS, 8, validation_data=(IMAGES, LABELS, np.ones(32)))),
        ("sample_weight", lambda m: m.evaluate(IMAGES, LABELS, sample_weight=np.ones(32))),
        ("sample_weight", lambda m: m.train_on_batch(IMAGES, LABELS, np.ones(32))),
        ("sample_weight", lambda m: m.test_on_batch(IMAGES, LABELS, sample_weight=np.ones(32))),
        ("class_weight", lambda m: m.train_on_batch(IMAGES, LABELS, class_weight={0: 2.0})),
        ("class_weight", lambda m: m.fit(IMAGES, LABELS, class_weight={0: 2.0})),
        ("leave y out", lambda m: m.fit(dataset(IMAGES, LABELS), LABELS)),
        ("with y beside it", lambda m: m.fit((IMAGES, LABELS), LABELS)),
        ("batch_size", lambda m: m.fit(dataset(IMAGES, LABELS), batch_size=8)),
        ("augment", lambda m: m.fit(dataset(IMAGES, LABELS), augment="flip")),
        ("31 values of 'label' for 32 images", lambda m: m.fit(IMAGES, LABELS[:31])),
        ("31 values of 'label' for 32 images", lambda m: m.train_on_batch(IMAGES, LABELS[:31])),
        ("came twice", lambda m: m.fit({"image": IMAGES, "label": LABELS}, LABELS)),
        (r"\[:, 0\]", lambda m: m.fit(IMAGES, LABELS[:, None])),
        ("that is no array", lambda m: m.fit(object())),
        ("that is no array", lambda m: m.fit([IMAGES[0], IMAGES[1, :4]])),
        ("is empty", lambda m: m.fit(generator(IMAGES[:0], LABELS[:0]))),
        ("is empty", lambda m: m.fit(Batches(IMAGES[:0], LABELS[:0]))),
    ],
)
def test_what_cannot_be_honoured_is_refused(labelled, name, train):
    with pytest.raises(kg.InvalidInput, match=name):
        train(labelled)


def test_what_is_wrong_later_in_a_pipeline_comes_out_in_our_words(labelled):
    wrong = np.where(np.arange(32) == 20, 7, LABELS)
    for source in (dataset(IMAGES, wrong), Batches(IMAGES, wrong), generator(IMAGES, wrong)):
        with pytest.raises(kg.InvalidInput, match="^(The dataset's )?label 7 is out of range; wanted [^<>]*$"):
            labelled.evaluate(source, verbose=0)
    uneven = tf.data.Dataset.zip(dataset(IMAGES[:20]), dataset(LABELS[:17]))
    with pytest.raises(kg.InvalidInput, match="1 values of 'label' for 4 images in a batch"):
        labelled.evaluate(uneven, verbose=0)


def test_a_generator_that_has_run_out_says_so(vae):
    with pytest.raises(kg.InvalidInput, match="has run out.*steps_per_epoch"):
        vae.fit(generator(IMAGES), epochs=2, verbose=0)


def test_classifier_trains_on_pairs_and_predicts_without_labels(classifier):
    assert np.isfinite(classifier.train_on_batch(IMAGES, LABELS)).all()
    assert np.isfinite(classifier.test_on_batch(IMAGES, LABELS)).all()
    logits = classifier.predict(IMAGES, batch_size=20, verbose=0)
    assert logits.shape == (32, 3)
    np.testing.assert_allclose(logits, classifier.predict(dataset(IMAGES), verbose=0), atol=1e-5)
    np.testing.assert_allclose(logits, classifier.predict_on_batch(IMAGES), atol=1e-5)
    np.testing.assert_allclose(logits, classifier(IMAGES), atol=1e-5)


@pytest.mark.parametrize("call", ["log_prob", "complete", "elbo", "encode", "classify", "sample", "fit", "evaluate"])
@pytest.mark.parametrize("batch_size", [0, 2.5, True])
def test_batch_sizes_are_integers_of_at_least_1(labelled, classifier, vae, call, batch_size):
    model = {"log_prob": labelled, "complete": labelled, "classify": classifier}.get(call, vae)
    arguments = {"sample": (3,), "complete": (IMAGES, np.zeros((8, 8), bool))}.get(call, (IMAGES,))
    extra = {"label": LABELS} if model is labelled else {}
    with pytest.raises(kg.InvalidInput, match=re.escape(f"batch_size={batch_size}")):
        getattr(model, call)(*arguments, batch_size=batch_size, **extra)


# --- datasets of unknown length ---------------------------------------------------------------------------------------


def trained(model, data):
    history = model.fit(data, epochs=2, verbose=0).history
    optimizer = model.optimizer or model.generator_optimizer
    return history, int(optimizer.iterations.numpy()), model.get_weights()


@pytest.mark.parametrize("build,options", [(sgd_vae, {}), (sgd_vae, {"steps_per_execution": 3}), (sgd_gan, {})])
def test_a_dataset_of_unknown_length_trains_as_one_of_known_length(build, options):
    known = dataset(IMAGES, drop_remainder=True)
    wanted = trained(build(), known)
    found = trained(build(**options), known.filter(lambda image: True))
    assert wanted[1] == found[1]
    for name, values in wanted[0].items():
        np.testing.assert_allclose(found[0][name], values, rtol=1e-6)
    for left, right in zip(wanted[2], found[2]):
        np.testing.assert_allclose(left, right, atol=1e-7)


# --- several replicas -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replicated(two_replicas):
    with two_replicas.scope():
        return sgd_vae()


def test_a_dataset_of_unknown_length_trains_alike_on_replicas(replicated):
    unknown = dataset(IMAGES, drop_remainder=True).filter(lambda image: True)
    before = replicated.get_weights(), int(replicated.optimizer.iterations.numpy())
    one = sgd_vae()
    one.set_weights(before[0])
    one.optimizer.iterations.assign(before[1])
    wanted, found = trained(one, dataset(IMAGES, drop_remainder=True)), trained(replicated, unknown)
    assert wanted[1] == found[1] == before[1] + 8
    np.testing.assert_allclose(found[0]["loss"], wanted[0]["loss"], rtol=1e-5)
    for left, right in zip(wanted[2], found[2]):
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.parametrize(
    "train,words",
    [
        (lambda m: m.fit(dataset(IMAGES, size=7, drop_remainder=True)), "batch of 7 images does not split over 2"),
        (lambda m: m.fit(dataset(IMAGES, size=1, drop_remainder=True)), "batch of 1 images does not split over 2"),
        (lambda m: m.fit(IMAGES, batch_size=1), "does not split over 2 replicas"),
        (lambda m: m.train_on_batch(IMAGES[:3]), "A batch of 3 images does not split over 2"),
        (lambda m: m.fit(Batches(IMAGES)), "cannot split evenly"),
        (lambda m: m.fit(generator(IMAGES)), "cannot split evenly"),
    ],
)
def test_what_does_not_split_over_replicas_is_refused(replicated, train, words):
    with pytest.raises(kg.InvalidInput, match=words):
        train(replicated)


@pytest.mark.parametrize("build", [sgd_vae, sgd_gan])
def test_replicas_measure_every_image_as_one_device_does(build, two_replicas):
    """The last batch of 5 in fours leaves a replica without any image; noise is the one-device noise all the same."""
    with two_replicas.scope():
        two = build()
    one = build()
    for data in ((IMAGES[:5],), (dataset(IMAGES[:3], size=1),), (dataset(IMAGES[:7], size=7, drop_remainder=True),)):
        options = {"batch_size": 4} if isinstance(data[0], np.ndarray) else {}
        wanted, found = (model.evaluate(*data, verbose=0, return_dict=True, **options) for model in (one, two))
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)


def test_replicas_predict_and_train_on_batches_as_one_device_does(replicated):
    one = sgd_vae()
    one.set_weights(replicated.get_weights())
    one.training_calls.state.assign(keras.ops.convert_to_numpy(replicated.training_calls.state))
    for left, right in zip(
        one.predict(IMAGES[:5], batch_size=4, verbose=0), replicated.predict(IMAGES[:5], 4, verbose=0)
    ):
        np.testing.assert_allclose(left, right, rtol=1e-4)
    for left, right in zip(one.predict_on_batch(IMAGES[:5]), replicated.predict_on_batch(IMAGES[:5])):
        np.testing.assert_allclose(left, right, rtol=1e-4)
    np.testing.assert_allclose(one.train_on_batch(IMAGES[:6]), replicated.train_on_batch(IMAGES[:6]), rtol=1e-5)
    for left, right in zip(one.get_weights(), replicated.get_weights()):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_what_a_source_of_batches_decides_is_not_asked_twice():
    model = sgd_vae()
    for method in (model.evaluate, model.predict):
        with pytest.raises(kg.InvalidInput, match="batches by itself; leave batch_size out"):
            method(dataset(IMAGES[:8], size=4), batch_size=3)
    # The training's batch size is none of the validation data's.
    history = model.fit(IMAGES[:8], batch_size=8, validation_data=dataset(IMAGES[:8], size=4), verbose=0).history
    assert np.isfinite(history["val_loss"][0])


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": 1.5}, {"initial_epoch": -1}])
def test_epochs_are_counted_in_integers(wrong):
    (name,) = wrong
    with pytest.raises(kg.InvalidInput, match=f"{name}=.*give an integer of at least"):
        sgd_vae().fit(IMAGES[:8], batch_size=8, verbose=0, **wrong)


# --- several critic turns a step ----------------------------------------------------------------------------------------


def test_critic_turns_take_full_batches_of_any_source():
    gan, steps = sgd_gan(), []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    for source in (dataset(IMAGES[:20], size=4), Batches(IMAGES[:22], size=4), generator(IMAGES[:20], size=4)):
        steps.clear()
        gan.fit(source, callbacks=[count], verbose=0)
        assert steps == [0, 1]  # five full batches make two steps of two; what is left is dropped, as of arrays
    for source in (dataset(IMAGES[:8]), Batches(IMAGES[:8]), generator(IMAGES[:8])):
        with pytest.raises(kg.InvalidInput, match="takes 2 batches of 8 images, one a critic step"):
            gan.fit(source, verbose=0)


def test_critic_turns_take_the_batches_in_their_order():
    grouped = next(iter(sgd_gan().border().batches(dataset(IMAGES[:16]), training=True)))["image"]
    assert grouped.shape == (8, 2, 8, 8, 1)
    for turn in range(2):
        np.testing.assert_array_equal(grouped[:, turn], IMAGES[8 * turn : 8 * turn + 8])


# --- networks of the user's own -----------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("test_border")
class Own(keras.Model):
    """A subclassed network: a hidden layer, then an output of a given shape."""

    def __init__(self, outputs, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.outputs_wanted, self.activation = tuple(outputs), activation
        self.flat, self.hidden = keras.layers.Flatten(), keras.layers.Dense(6, "relu")
        self.out = keras.layers.Dense(int(np.prod(outputs)), activation)
        self.shaped = keras.layers.Reshape(self.outputs_wanted)

    def call(self, x):
        return self.shaped(self.out(self.hidden(self.flat(x))))

    def get_config(self):
        return {**super().get_config(), "outputs": list(self.outputs_wanted), "activation": self.activation}


class Forgetful(Own):
    """Its config does not make it again."""

    def get_config(self):
        return {"name": self.name}


@pytest.mark.parametrize("built", [False, True])
def test_subclassed_networks_train_average_and_come_back(built, tmp_path):
    generator_network, discriminator = Own((8, 8, 1), "tanh"), Own((1,))
    if built:
        generator_network.build((None, 4))
        discriminator.build((None, 8, 8, 1))
    gan = kg.GAN(SPEC, latent_dim=4, generator=generator_network, discriminator=discriminator, ema_decay=0.5)
    assert gan.generator is generator_network
    gan.fit(IMAGES, batch_size=16, verbose=0)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(gan.sample(4, seed=1), again.sample(4, seed=1))
    vae = kg.VAE(SPEC, latent_dim=3, encoder=Own((6,)), decoder=Own((8, 8, 2)))
    assert np.isfinite(vae.elbo(IMAGES)).all()


@pytest.mark.parametrize(
    "build,words",
    [
        (lambda: kg.VAE(SPEC, latent_dim=3, encoder=Own((5,))), r"encoder gives \[b, 5\]; wanted \[b, 6\]"),
        (lambda: kg.GAN(SPEC, latent_dim=4, generator=Forgetful((8, 8, 1))), "does not come back from its config"),
        (lambda: kg.GAN(SPEC, latent_dim=4, generator=keras.Model()), "cannot be called on one tensor"),
        (lambda: kg.Classifier(SPEC, 3, network=Own((3,))), "functional"),
        (lambda: kg.GAN(SPEC, discriminator="dcgan"), "not a built Keras model"),
    ],
)
def test_networks_that_cannot_serve_are_refused(build, words):
    with pytest.raises(kg.InvalidInput, match=words):
        build()
