"""Settings, read from `RE2LLM_*` environment variables and a `.env` file; see `.env.example`."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from .errors import InputError
from .setting_texts import expanded, without_wrapping

HintChoice = Literal["none", "random", "similar", "static", "ppo"]
"""How `select_hint` chooses: never, at random, the closest in meaning, the best in its trials, or
by the active policy release.
"""

AnswerMethod = Literal["json_schema", "function_calling", "json_mode", "plain"]
"""How a model is made to answer in JSON."""

RecipeName = Literal["json", "paper", "letters"]
"""A way to ask for a ranking: a list of numbers in JSON, the paper's list of titles, or one letter
whose alternatives rank the candidates.
"""

PromptRecipe = Literal["json", "paper", "letters", "auto"]
"""How the ranking is asked for; `auto`: by letters where `doctor` has found that this works."""

Price = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=2, max_length=3)]
"""Of a million tokens in, of a million out, and of a million in from the provider's cache."""

FuseMode = Literal["learned", "llm", "first_stage", "sum"]
"""What decides the order: the first stage with the model's opinion at a learned weight, the model
alone, the first stage alone, or the plain sum of the evidence.
"""

PromptOrder = Literal["first_stage", "shuffled"]
"""In which order the prompt lists the candidates."""

OFFLINE_MODEL = "offline"
"""The model name that stands for the offline ranker, which needs no key."""


_PREFIX = "RE2LLM_"
_FILE = ".env"


NO_HOME = Path("/dev/null/re2llm")
"""The data directory of an account that has no home, as in some containers; nobody can make it."""


def _default_home() -> Path:
    try:
        return Path(platformdirs.user_data_dir("re2llm", appauthor=False))
    except RuntimeError:
        return NO_HOME


class Settings(BaseSettings):
    """Everything that a user may set; a caller's own arguments take precedence."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=_FILE,
        env_ignore_empty=True,
        extra="ignore",
        allow_inf_nan=False,
    )

    home: Annotated[Path, AfterValidator(expanded), Field(default_factory=_default_home)]
    """Data directory: the embedded database lives in it; `~` and `$HOME` stand for what they do in
    a shell."""
    database_url: SecretStr | None = None
    """Your own PostgreSQL with pgvector ≥ 0.8.4; unset starts the embedded one under `home`."""
    database_timeout: float = Field(default=5.0, gt=0)
    """Seconds for the database to answer a new connection.

    Where all of the pool are in use, requests queue for one, 60 s at most.
    """
    pool_size: int = Field(default=10, ge=2)
    """Database connections that one process keeps; one of them holds its claims."""

    domain: str | None = None
    """The catalogue that a request uses if it names none. Unset: the only one there is."""
    policy: HintChoice = "ppo"
    """How a hint is chosen if the request does not say: none, random, similar, static or ppo."""
    explore: bool = False
    """Let `ppo` sample from its probabilities, for off-policy evaluation, not take the best hint.
    """
    max_hints: int = Field(default=1, ge=1, le=5)
    """Hints that a trained policy gives one session at most; 1 trains and serves a single hint.

    How many hints a domain may keep is `hints_max`.
    """
    hint_price: float = Field(default=0.01, ge=0)
    """NDCG@10 that 1,000 tokens of hints after the first must bring, or training leaves them out.
    """
    shortlist: int = Field(default=64, ge=1)
    """Hints that `ppo` scores for a session."""
    candidates: int = Field(default=50, ge=2)
    """How many candidates are retrieved if the request names none."""
    max_candidates: int = Field(default=1000, ge=2)
    """The longest candidate list that one request may hold."""
    fuse: FuseMode = "learned"
    """What decides the order: learned (the first stage, with the model's opinion at a learned
    weight), llm (the model alone ranks all candidates), first_stage or sum (no model is asked)."""
    rerank: int = Field(default=20, ge=2)
    """How many of the first stage's best candidates the model is asked about."""
    prompt_order: PromptOrder = "first_stage"
    """How the prompt lists them: first_stage (best first), or shuffled."""
    prompt_history: int = Field(default=50, ge=1)
    """The most recent history items that the prompt shows."""

    model: str = OFFLINE_MODEL
    """`offline`, or a provider and a name as in `openai:gpt-4.1-mini`."""
    base_url: str | None = None
    """Any OpenAI-compatible server: vLLM, llama.cpp, Ollama, `transformers serve`."""
    api_key: SecretStr | None = None
    """Key for `model`; unset leaves it to the provider's own environment variable."""
    temperature: float = Field(default=0.0, ge=0)
    """Sampling temperature; 0 as in the paper."""
    reflect_model: str | None = None
    """The model that reflects on misses and compares hints; unset takes `model`."""
    reflect_base_url: str | None = None
    """Server of `reflect_model`; unset takes `base_url`."""
    reflect_api_key: SecretStr | None = None
    """Key for `reflect_model`; unset takes `api_key`."""
    prompt: PromptRecipe = "json"
    """How the ranking is asked for: json (a list of numbers), letters (one letter, ranked by its
    alternatives), auto (letters where `doctor` has found that this works), or paper (titles)."""
    structured: Literal["auto", "json_schema", "function_calling", "json_mode", "plain"] = "auto"
    """How a model is made to answer in JSON; auto finds out what it supports."""
    max_answer_tokens: int | None = Field(default=None, ge=1)
    """The longest answer to ask a model for; unset leaves it to the model."""
    orders: int = Field(default=1, ge=1)
    """Orders of the candidates in which each ranking is asked for; the answers are fused."""
    request_timeout: float = Field(default=60.0, gt=0)
    """Seconds that one model call may take."""
    deadline: float = Field(default=120.0, gt=0)
    """Seconds in which one request is answered. The model gets nine tenths of them, retries and
    pauses included."""
    model_retries: int = Field(default=3, ge=0)
    """How often a call that failed for a temporary reason is repeated."""
    retry_pause: float = Field(default=0.5, gt=0)
    """Seconds of the first pause before a retry; later ones double, and all are jittered."""
    breaker_failures: int = Field(default=10, ge=1)
    """Failed calls in a row after which a model is considered down and not called."""
    breaker_pause: float = Field(default=30.0, gt=0)
    """Seconds for which it is not called before one call tries it again."""
    model_concurrency: int = Field(default=32, ge=1)
    """Model calls in flight at the same time, over all requests; those of jobs over all workers."""
    model_rate: float | None = Field(default=None, gt=0)
    """Model calls per second, for the whole process; those of jobs over all workers."""
    call_cache: bool = True
    """Answer a prompt that was paid for before from the database, at temperature 0."""
    prices: dict[str, Price] = {}
    """By model, the price of a million tokens in, of a million tokens out and, if there is a third
    number, of a million tokens in that the provider has in its cache; all in one currency."""
    batch_discount: float = Field(default=0.5, ge=0, le=1)
    """Part of the price that the provider waives for batches (`batch`)."""
    batch_poll: float = Field(default=30.0, gt=0)
    """Seconds between two checks of a batch that is not done."""
    concurrency: int = Field(default=8, ge=1)
    """Sessions that `evaluate` and the like work on at the same time."""
    verify_rule: Literal["transfer", "paper"] = "transfer"
    """`transfer` also tries a hint on other sessions; `paper` only on the one that it came from."""
    verify_near: int = Field(default=8, ge=0)
    """Similar training sessions on which a hint is tried."""
    verify_random: int = Field(default=96, ge=0)
    """Random training sessions on which a hint is tried, the same ones for every hint."""
    verify_doubtful: int = Field(default=3, ge=1)
    """How many times as many random ones to take if the first ones leave the gain in doubt."""
    reflection_batch: int = Field(default=1, ge=1, le=12)
    """Misses with a common cause that `learn` reflects on at once, at most; 1 takes each alone, as
    in the paper."""
    train_sessions: int = Field(default=2000, ge=2)
    """Training sessions that `train` draws if there are more."""
    train_panel: int = Field(default=300, ge=0)
    """Random training sessions on which `train` tries every hint before it starts.

    Where it chooses what to pay for, at most `verify_random`.
    """
    rate_samples: int = Field(default=1, ge=1, le=64)
    """Sampled answers whose mean is the rating; above 1 it needs `temperature` above 0."""
    rating_prompt: Literal["document", "short"] | None = None
    """Form of rating prompts: `document` with review texts, `short` lines without them.

    If it is not given, a folder of MovieLens makes `short` ones in `rater …` commands, and
    everything else `document`.
    """
    rating_review_characters: int = Field(default=600, ge=0)
    """Characters of each review in a rating prompt; longer reviews are cut."""
    rating_title_characters: int = Field(default=200, ge=1)
    """Characters of each title and attribute in a rating prompt; longer ones are cut."""
    hints_max: int = Field(default=64, ge=1)
    """Hints that a domain keeps active or pending: `learn` stops there, and `hints tidy` retires
    those that promise least.

    How many of them one session gets is `max_hints`.
    """
    hints_unused_days: int = Field(default=90, ge=0, le=365_000)
    """Days after which `hints tidy` retires a hint that the learned policy has never chosen in
    1,000 recommendations or more; 0 turns it off."""
    approve_hints: bool = False
    """Hold new hints as pending until `re2llm hints approve`."""
    feedback_calls: int = Field(default=500, ge=0)
    """Model calls that one process may spend on learning from feedback; 0 turns it off.
    """
    source_share: float = Field(default=0.05, gt=0, le=1)
    """The largest part of the sessions behind any evidence that may come with one API key."""
    retention_days: int | None = Field(default=None, ge=1, le=365_000)
    """Days after which `re2llm purge` deletes what people did; unset keeps it."""
    mcp_hosts: str = ""
    """Host names, separated by commas, under which the MCP server answers, besides localhost.
    """
    allowed_origins: str = "https://smith.langchain.com,https://eu.smith.langchain.com"
    """Web pages, separated by commas, that may call a server on this machine without a key, such as
    LangGraph Studio's; pages on this machine always may. Other pages need a key."""
    require_keys: bool = False
    """Ask for an API key on this machine too; requests from other machines always need one."""
    seed: int = 0
    """Seed of every shuffle and sample, and of random hints where it is set; unset, each logged
    request without a user has a draw of its own."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the first of which wins."""
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = without_wrapping(source.env_vars, _PREFIX)
        return init_settings, env_settings, dotenv_settings, file_secret_settings


def setting_sources() -> dict[str, str]:
    """Return where each `RE2LLM_*` variable is set that holds anything: `environment` or `.env`.

    Names that are no setting are among them.

    Raises:
        InputError: `.env` is a pipe.
    """
    _refuse_pipe()
    found: dict[str, str] = {}
    for source, place in (
        (DotEnvSettingsSource(Settings), _FILE),
        (EnvSettingsSource(Settings), "environment"),  # beats the file
    ):
        for name, value in without_wrapping(source.env_vars, _PREFIX).items():
            if name.lower().startswith(_PREFIX.lower()) and value:
                found[name.upper()] = place
    return found


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once.

    Raises:
        InputError: A variable holds a value that does not fit, or `.env` is no text or a pipe; the
            message names it.
    """
    _refuse_pipe()
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # `home` has a default factory
    except ValidationError as error:
        first = error.errors()[0]
        field, *inside = map(str, first["loc"])
        name = f"RE2LLM_{field.upper()}"
        where = f" at {'.'.join(inside)}" if inside else ""
        said = first["msg"].removeprefix("Value error, ")
        problem = f"{said}{where}{_said_in(name)}."
        raise InputError(name, problem, "See .env.example.") from error
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = "RE2LLM_" + (found[1].upper() if found else "*")
        problem = f"It is not valid JSON{_said_in(name)}."
        raise InputError(name, problem, "See .env.example.") from error
    except UnicodeDecodeError as error:
        problem = f"It is not UTF-8: {error.reason} at byte {error.start}."
        raise InputError(_FILE, problem, "Save it as UTF-8.") from error


def _refuse_pipe() -> None:
    """Refuse a pipe, which may never answer and is read more than once.

    Folders and devices of that name are ignored. Ignoring a pipe could lose a password or a key.
    """
    if Path(_FILE).is_fifo():
        problem = "It is a pipe, which may never answer."
        raise InputError(_FILE, problem, "Make it a file, or set the variables themselves.")


def _said_in(name: str) -> str:
    return " (in .env)" if setting_sources().get(name) == _FILE else ""
