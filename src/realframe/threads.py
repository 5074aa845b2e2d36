"""Set the thread counts of TensorFlow, in the process of a stage or command and in that of a worker.

The number comes from ``settings.workers`` (``REALFRAME_WORKERS``) or from ``--threads`` of a worker.
"""

import os


def configure_tensorflow(threads: int, seed: int) -> None:
    """Set TensorFlow's thread counts and all random seeds, and turn on deterministic operations; call it before TensorFlow is used.

    Args:
        threads: threads within one operation. Two operations may run at once, so that one can feed the other.
        seed: of the random generators of Python, NumPy and TensorFlow.
    """
    import keras  # imported here: the worker calls the function below before it imports TensorFlow
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def set_thread_variables(threads: int) -> None:
    """Set the environment variables from which TensorFlow reads its thread counts when it is imported; one operation runs at a time.

    Args:
        threads: threads within one operation.
    """
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
