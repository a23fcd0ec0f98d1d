"""Words of other tools for what has another name here: options, their values, and commands."""

from collections.abc import Iterable

__all__ = ["synonym"]

OTHER_WORDS = {
    # values: likelihoods, priors, decoders, aggregations
    "gaussian": ("normal", "gauss", "continuous", "mse"),
    "student_t": ("t", "student", "studentt", "robust"),
    "log_normal": ("lognorm",),
    "poisson": ("pois",),
    "negative_binomial": ("nb", "negbin", "counts", "count", "umi"),
    "zero_inflated_negative_binomial": ("zinb", "zero_inflated"),
    "protein_mixture": ("adt", "cite", "nbmixture", "nb_mixture", "negative_binomial_mixture"),
    "bernoulli": ("binary", "boolean", "mutation"),
    "beta": ("kl_weight", "methylation", "fraction"),
    "binomial": ("bisulfite",),
    "categorical": ("multinomial", "softmax", "onehot"),
    "total": ("library_size", "library", "depth"),
    "gaussian_mixture": ("gmm", "mog", "mixture", "mixture_of_gaussians"),
    "standard_normal": ("normal", "gaussian", "gauss"),
    "mlp": ("nonlinear", "nn", "neural", "deep"),
    "poe": ("product_of_experts", "mvae"),
    "moe": ("mixture_of_experts", "mmvae"),
    "mopoe": ("mixture_of_products_of_experts",),
    "self_attention": ("attention", "transformer"),
    "sum_pooling": ("sum", "deep_sets", "mean"),
    "cuda": ("gpu", "nvidia"),
    "mps": ("metal", "apple"),
    "float32": ("32", "fp32", "single", "float", "full"),
    "float64": ("64", "fp64", "double"),
    "mixed": ("16", "fp16", "bf16", "bfloat16", "float16", "half", "amp"),
    "all": ("true", "yes", "both"),
    "none": ("false", "no", "nothing", "off"),
    # options
    "modalities": ("mod", "mods", "views", "view", "assays", "assay", "omics"),
    "layers": ("use_layer", "raw_layer"),
    "batch_key": ("batch", "batches", "batch_col", "batch_column", "groups", "groups_label", "sample_key"),
    "covariate_keys": (
        *("covariates", "covariate", "categorical_covariate_keys", "continuous_covariate_keys"),
        *("categorical_covariates", "continuous_covariates", "condition_key"),
    ),
    "labels_key": ("labels", "label", "celltype", "celltype_key", "cell_type", "cell_type_key", "annotation", "y"),
    "likelihoods": ("gene_likelihood", "distribution", "distributions", "noise_model", "family"),
    "size_factors": ("size_factor_key", "library_size", "use_observed_lib_size"),
    "dispersion": ("gene_dispersion", "protein_dispersion"),
    "weights": ("modality_weights", "loss_weights", "scale_views"),
    "encode_covariates": ("encode_batch",),
    "n_latent": (
        *("latent_dim", "latent_dims", "latent_size", "n_factors", "num_factors", "factors", "n_dims", "n_pcs"),
        *("n_comps", "z_dim", "dim", "n_dimensions", "dimensions", "k"),
    ),
    "private_dropout": ("dropout", "dropout_rate"),
    "n_clusters": ("clusters", "num_clusters", "resolution", "n_mixture_components"),
    "aggregation": ("fusion", "joint", "mixing"),
    "objective": ("loss", "bound"),
    "shrinkage": ("l2", "ridge", "sparsity", "weight_decay"),
    "hidden_size": ("n_hidden", "hidden", "hidden_dim", "hidden_dims", "hidden_units"),
    "max_epochs": ("n_epochs", "epochs", "num_epochs", "n_iter", "max_iter", "maxiter", "iterations", "iter"),
    "batch_size": ("minibatch_size", "bs", "train_batch_size"),
    "learning_rate": ("lr", "learning_rate_init", "step_size", "eta"),
    "early_stopping": ("early_stop", "convergence_mode", "patience"),
    "device": ("accelerator", "use_gpu", "gpu", "gpu_mode", "use_cuda", "cuda", "devices"),
    "precision": ("dtype",),
    "seed": ("random_state", "random_seed", "rng", "rng_seed", "set_seed"),
    "progress": ("verbose", "verbosity", "progress_bar", "show_progress", "silent"),
    "impute": ("imputation",),
    "key_added": ("added_key", "key", "prefix"),
    # modalities, as many call them
    "rna": ("gex", "gene_expression", "expression", "transcriptome", "mrna", "genes"),
    "protein": ("adt", "prot", "proteins", "antibody_capture", "cite"),
    "atac": ("peaks", "chromatin", "accessibility"),
    # commands, and the options that only they have
    "inspect": ("summary", "info", "describe", "show", "check", "validate", "look", "view", "head"),
    "train": ("fit", "run", "learn", "integrate", "start"),
    "annotate": ("predict", "transform", "apply", "map", "project", "embed", "query"),
    "evaluate": ("score", "test", "benchmark", "assess", "judge"),
    "report": ("plot", "html", "figures"),
    "select": ("tune", "cv", "grid", "grid_search", "cross_validate", "optimize"),
    "simulate": ("generate", "sample", "make"),
    "data": ("datasets", "dataset", "download", "fetch"),
    "options": ("parameters", "params", "arguments", "config"),
    "convert": ("read", "import", "load", "open", "from"),
    "export": ("write", "save", "csv", "to_csv", "tables"),
    "output": ("out", "o", "outfile", "output_file", "to"),
    "model": ("model_dir", "model_path", "save_dir", "save", "checkpoint"),
    "quiet": ("silent", "verbose", "no_progress"),
}
"""Our word to those of scvi-tools, MOFA2, scanpy, scikit-learn, Lightning, statistics and the laboratory for it."""


def spelled(word: str) -> str:
    """Write a word as our words are written: small, with underscores, without the dashes of an option.

    Parameters
    ----------
    word
        As a user wrote it.

    Returns
    -------
    str
        To be compared.

    Examples
    --------
    >>> spelled("--Max-Epochs")
    'max_epochs'
    """
    return word.strip().lstrip("-").lower().replace("-", "_").replace(" ", "_")


def synonym(word: str, words: Iterable[str]) -> str | None:
    """Find the word that means the same here.

    Parameters
    ----------
    word
        What a user wrote.
    words
        What is allowed.

    Returns
    -------
    str or None
        The first of `words` that differs from it in small and capital letters or dashes only, or else the first that
        means the same; None if there is none.

    Examples
    --------
    >>> synonym("nb", ["poisson", "negative_binomial"]), synonym("Poisson", ["poisson"]), synonym("nb", ["vamp"])
    ('negative_binomial', 'poisson', None)
    """
    words, meant = list(words), spelled(word)
    same = (known for known in words if spelled(known) == meant)
    alike = (known for known in words if meant in OTHER_WORDS.get(spelled(known), ()))
    return next(same, None) or next(alike, None)
