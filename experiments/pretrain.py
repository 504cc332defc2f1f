"""Pre-train a policy on labelled frames, from which runs can start.

`droo run --warm-start CHECKPOINT` continues from the checkpoint.

`python -m experiments.pretrain --help` lists its settings.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from agent.pretraining import Pretraining, pretrain
from env.datasets import read_dataset
from experiments.cli import run_module
from experiments.configs import PretrainConfig, resolve
from experiments.problems.experiment import build_agent
from experiments.problems.wpmec.frames import make_env, recorded_weights
from experiments.runs.figures import SIZE, STYLE, save_figure
from experiments.runs.files import write_csv
from experiments.runs.folder import load_summary, save_run
from experiments.runs.provenance import provenance


def main(config: PretrainConfig) -> None:
    """Pre-train, save the result, and print its key figures."""
    folder = run(config)
    summary = load_summary(folder)
    print(f"Number of epochs, best epoch           {summary['epochs']}, {summary['best_epoch']}")
    print(f"Validation loss                        {summary['validation_loss']:.6f}")
    print(f"Device decisions equal to the label    {summary['accuracy']:.3%}")
    print(f"Normalized rate of the own decision    {summary['own_normalized_rate']:.6f}")
    print(f"\nSaved in {folder}")


def run(config: PretrainConfig) -> Path:
    """Pre-train, and return the new folder.

    The folder holds config.json, epochs.csv, summary.json, checkpoint.safetensors and the figure.

    Raises:
        ValueError: if a setting is out of range, or the data file is damaged or has no labels.
        FileNotFoundError: if the data file does not exist.
    """
    config = resolve(config)
    came_from = provenance(config)
    torch.set_num_threads(1)
    data = read_dataset(config.data)
    num_frames, num_devices = data.gain.shape
    for_order, for_agent = np.random.SeedSequence(config.seed).spawn(2)
    agent = build_agent(config, num_devices, for_agent)
    weights = recorded_weights(config.weights, data.weights, num_devices)
    env = make_env(data.gain, weights, agent.features)
    env.reset()
    states, labelled = np.empty((num_frames, agent.net[0])), np.empty(num_frames)
    for t, decision in enumerate(data.decision):
        states[t] = env.state
        labelled[t] = env.step(decision)[1]
    found = pretrain(
        agent,
        states,
        data.decision,
        epochs=config.epochs,
        patience=config.patience,
        validation_fraction=config.validation_fraction,
        seed=for_order,
    )
    validation = range(found.training_rows, num_frames)
    own = [
        env.critic.score(data.gain[t], agent.decode(states[t]))[0] / labelled[t]
        for t in validation
        if labelled[t] > 0  # the ratio is undefined if the optimal rate is 0
    ]
    best = found.best_epoch - 1
    summary = {
        "num_devices": num_devices,
        "seed": config.seed,
        "epochs": len(found.training_loss),
        "best_epoch": found.best_epoch,
        "validation_loss": found.validation_loss[best],
        "accuracy": found.accuracy[best],
        "own_normalized_rate": float(np.mean(own or [1.0])),
    }

    def write(folder: Path) -> None:
        epochs = {
            "epoch": range(1, len(found.training_loss) + 1),
            "training_loss": found.training_loss,
            "validation_loss": found.validation_loss,
            "accuracy": found.accuracy,
        }
        write_csv(folder / "epochs.csv", epochs)
        agent.save(folder / "checkpoint.safetensors")
        draw(found, folder / "pretraining")

    return save_run(config.results / "pretrain", came_from, summary, write)


def draw(found: Pretraining, file: Path) -> list[Path]:
    """Draw the losses of each epoch and mark the best epoch, as PNG and PDF."""
    with mpl.rc_context(STYLE):
        figure = Figure(SIZE, layout="constrained")
        ax = figure.subplots()
        epochs = np.arange(1, len(found.training_loss) + 1)
        ax.plot(epochs, found.training_loss, label="training")
        ax.plot(epochs, found.validation_loss, label="validation")
        ax.axvline(found.best_epoch, color="0.5", linestyle=":", label="kept")
        ax.set(xlabel="Epoch", ylabel="Loss", yscale="log")
        ax.legend()
        return save_figure(figure, file)


if __name__ == "__main__":
    run_module(PretrainConfig, main)
