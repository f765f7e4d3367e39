"""LSTMs that walk over the lines of an image (its rows or its diagonals), a whole line at a time.

Maps are ``[lines, features, places, batch]`` here: features come first so that gates, inputs and neighbours are blocks of
memory to XLA, several times as fast as slices of a last axis.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

GATES = 4


def activated(sums: Any, axis: int = -1) -> tuple[Any, Any]:
    """Output, forget and input gates side by side (3 filters), and the content (filters), of their 4 filters sums."""
    filters = sums.shape[axis] // GATES
    gates, content = tf.split(sums, [3 * filters, filters], axis)
    return tf.sigmoid(gates), tf.tanh(content)


def advanced(gates: Any, content: Any, memory: Any, axis: int = -1) -> tuple[Any, Any]:
    """``(h, c)``: ``c' = f c + i g``, ``h = o tanh(c')`` (van den Oord et al. 2016, eq. 3)."""
    output, forget, write = tf.split(gates, 3, axis)
    after = forget * memory + write * content
    return output * tf.tanh(after), after


def lstm_scan(
    maps: Any, kernel: Any, bias: Any, *, looks: Sequence[int], receives: Sequence[int], carries: Any = None
) -> Any:
    """States ``[t, f, places, b]`` of an LSTM over maps ``[t, c, places, b]``; computed in float32.

    The gradient is written out. It keeps states, memories and gates, so that memory grows as the number of lines does, and
    gathers the kernel's on the way. Nothing but the inputs' shapes says how large the batch is, so that XLA can compile the
    gradient by itself.

    Args:
        maps: the inputs.
        kernel: ``[len(looks) c + len(receives) f, 4 f]``.
        bias: ``[4 f]``.
        looks: which inputs of its own line a place sees, as steps along the line.
        receives: which states of the line before it receives; the memory comes from the first of these, which is 0 if ``carries``
            is given.
        carries: ``[t, places]``, 0 where a place has no neighbour at step 0 and starts with an empty memory.
    """
    lines, inputs, places = (int(size) for size in maps.shape[:3])
    filters = kernel.shape[1] // GATES

    def carried(x: Any, t: Any) -> Any:
        """``[f, n]``, zero where nothing is carried on."""
        if carries is None:
            return x
        mask = tf.cast(tf.gather(tf.constant(carries), t), x.dtype)
        return tf.reshape(tf.reshape(x, (filters, places, -1)) * mask[None, :, None], tf.shape(x))

    def neighbours(x: Any, h: Any, t: Any) -> Any:
        """All that the kernel is multiplied with: ``[len(looks) c + len(receives) f, n]``."""
        received = [shifted(carried(h, t) if step == 0 else h, step, places) for step in receives]
        return tf.concat([*(shifted(x, step, places) for step in looks), *received], axis=0)

    def adjoint(d: Any, t: Any) -> tuple[Any, Any]:
        """Gradients of the inputs and of the states before, of those of ``neighbours``."""
        sizes = [inputs] * len(looks) + [filters] * len(receives)
        parts = [
            shifted(part, -step, places) for part, step in zip(tf.split(d, sizes, 0), (*looks, *receives), strict=True)
        ]
        received = [
            carried(part, t) if step == 0 else part for part, step in zip(parts[len(looks) :], receives, strict=True)
        ]
        return tf.add_n(parts[: len(looks)]), tf.add_n(received)

    @tf.custom_gradient
    def run(maps: Any, kernel: Any, bias: Any) -> Any:
        def forward(t: Any, state: Any) -> Any:
            h, c = state
            sums = tf.matmul(kernel, neighbours(tf.gather(maps, t), h, t), transpose_a=True) + bias[:, None]
            gates, content = activated(sums, 0)
            after = advanced(gates, content, carried(c, t), 0)
            return after, (*after, gates, content)

        zeros = tf.zeros((filters, tf.shape(maps)[2]))
        _, (states, memories, gates, contents) = scanned(forward, lines, (zeros, zeros))

        def gradient(upstream: Any) -> Any:
            def backward(t: Any, state: Any) -> Any:
                dh, dc, dkernel, dbias = state
                gate, new, memory = (tf.gather(value, t) for value in (gates, contents, memories))
                first = tf.cast(t > 0, tf.float32)
                h, c = (tf.gather(value, tf.maximum(t - 1, 0)) * first for value in (states, memories))
                output, forget, write = tf.split(gate, 3, axis=0)
                dh, tanh = dh + tf.gather(upstream, t), tf.tanh(memory)
                dc = dc + dh * output * (1.0 - tf.square(tanh))
                dgate = tf.concat([dh * tanh, dc * carried(c, t), dc * new], axis=0) * gate * (1.0 - gate)
                dsums = tf.concat([dgate, dc * write * (1.0 - tf.square(new))], axis=0)
                dx, dh = adjoint(tf.matmul(kernel, dsums), t)
                dkernel = dkernel + tf.matmul(neighbours(tf.gather(maps, t), h, t), dsums, transpose_b=True)
                return (dh, carried(dc * forget, t), dkernel, dbias + tf.reduce_sum(dsums, axis=1)), dx

            nothing = tf.zeros_like(upstream[0])
            start = (nothing, nothing, tf.zeros_like(kernel), tf.zeros_like(bias))
            (_, _, dkernel, dbias), dmaps = scanned(backward, lines, start, reverse=True)
            return dmaps, dkernel, dbias

        return states, gradient

    inner = maps.shape[3]  # None where the batch may be of any size
    flat = tf.reshape(maps, (lines, inputs, -1))
    flat.set_shape((lines, inputs, None if inner is None else places * inner))
    states = run(*(tf.cast(x, tf.float32) for x in (flat, kernel, bias)))
    return tf.cast(tf.reshape(states, (lines, filters, places, -1)), maps.dtype)


def shifted(x: Any, step: int, places: int) -> Any:
    """``[f, places b]`` as seen by places ``step`` before: place p gets place p + step, zero beyond the ends."""
    if step == 0:
        return x
    batch = tf.shape(x)[1] // places
    edge = tf.zeros((x.shape[0], abs(step) * batch), x.dtype)
    # What is left of a line shorter than the step is nothing: the zeros are then cut to its length.
    if step > 0:
        return tf.concat([x[:, step * batch :], edge], axis=1)[:, -tf.shape(x)[1] :]
    return tf.concat([edge, x[:, : step * batch]], axis=1)[:, : tf.shape(x)[1]]


def scanned(step: Any, count: int, state: Any, reverse: bool = False) -> tuple[Any, Any]:
    """``state, outputs = step(t, state)`` for each t from 0 (or from the last, in ``reverse``): ``(state, [t, ...])``."""
    probe = step(tf.constant(0), state)[1]  # for its shapes alone
    arrays = tf.nest.map_structure(lambda x: tf.TensorArray(x.dtype, count, element_shape=x.shape), probe)

    def body(turn: Any, state: Any, arrays: Any) -> Any:
        t = count - 1 - turn if reverse else turn
        state, made = step(t, state)
        return turn + 1, state, tf.nest.map_structure(lambda array, x: array.write(t, x), arrays, made)

    _, state, arrays = tf.while_loop(
        lambda turn, *_: turn < count,
        body,
        (tf.constant(0), state, arrays),
        maximum_iterations=count,
        parallel_iterations=1,
    )
    return state, tf.nest.map_structure(lambda array: array.stack(), arrays)
