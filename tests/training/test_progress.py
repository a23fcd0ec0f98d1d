"""Progress is one bar in a notebook, lines in a log."""

import nbformat
import pytest
from nbclient import NotebookClient

from omixvae.training.progress import SelectionProgress, TrainingProgress
from omixvae.training.schedule import Epoch

CELLS = (
    "import omixvae\nmdata = omixvae.simulate(n_obs=60)",
    "model = omixvae.fit(mdata, max_epochs=30, early_stopping=False)",
    "model",
    "model = omixvae.fit(mdata, max_epochs=2, progress=False)",
    "found = omixvae.select(mdata, {'n_latent': [1, 2]}, held_out=0.2, n_samples=2, max_epochs=2)",
)


@pytest.mark.slow
def test_a_notebook_shows_one_bar_and_the_sentences(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    _, fit, model, quiet, select = (cell.outputs for cell in notebook.cells)
    bar, sentences = fit
    assert (bar.output_type, sentences.output_type, sentences.name) == ("display_data", "stream", "stdout")
    assert '<progress value="1.0000" max="1"></progress>' in bar.data["text/html"]
    assert "epoch 30/30  bound " in bar.data["text/plain"]
    assert sentences.text.startswith("Trained on 60 observations of rna (negative_binomial), ")
    assert sentences.text.endswith('  uns["omixvae"]\n')
    assert model[0].data["text/html"].startswith("<div><b>OmixVAE</b>, trained on 60 observations: 30 epochs in ")
    assert quiet == []
    assert [output.output_type for output in select] == ["display_data"]
    assert "fit 2/2  n_latent=2, part 1: " in select[0].data["text/plain"]


def epoch(number):
    return Epoch(number, -5.0, -6.0, -4.0, 0.5, 0.5, 2.0)


def test_a_log_gets_ten_lines_of_a_long_training(capsys):
    with TrainingProgress(100, show=True) as progress:
        for number in range(100):
            progress(epoch(number))
    lines = capsys.readouterr().err.strip().splitlines()  # early versions of rich end with an empty one
    assert [line.split("  ")[0] for line in lines] == [f"epoch {n}/100" for n in range(10, 101, 10)]


def test_a_log_gets_a_line_of_each_fit_of_a_selection(capsys):
    with SelectionProgress(2, show=True) as progress:
        progress.working("n_latent=1", 0.5)
        progress.done("n_latent=1: -3.0 nats")
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("fit 1/2  n_latent=1: -3.0 nats  ")
