"""How TensorFlow uses this machine: on how many threads, and the same way each time."""

import keras
import tensorflow as tf


def prepare(threads: int, seed: int) -> None:
    """Set TensorFlow's threads, all seeds, and operations that give the same result each time; before the first use of TensorFlow.

    Args:
        threads: that share one operation; operations run one after the other but for two, of which one feeds the other.
        seed: of Python's, NumPy's and TensorFlow's generators.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
