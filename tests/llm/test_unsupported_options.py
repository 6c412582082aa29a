"""What servers say they do not take, in their own words."""

from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from openai import ContentFilterFinishReasonError
from pydantic import SecretStr
from re2llm.errors import Failure
from re2llm.llm.client.adapting import adapted, without_system
from re2llm.llm.errors.failures import read_failure
from re2llm.llm.errors.unsupported_options import Part, refused_and_wanted, refused_parts

WORDS: dict[Part, list[str]] = {
    Part.TEMPERATURE: [
        "Unsupported value: 'temperature' does not support 0 with this model.",
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "temperature: Input should be greater than 0",
        "`temperature` has to be a strictly positive float, but is 0.0",
        "invalid temperature: only 1 is allowed for this model",
        "temperature and top_p cannot both be specified for this model.",
        "`temperature` is deprecated for this model.",
    ],
    Part.MAX_TOKENS: [
        "body.max_completion_tokens: Extra inputs are not permitted",
        "Unrecognized request argument supplied: max_completion_tokens",
        "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "property 'max_completion_tokens' is unsupported",
        "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens')}]",
        "max_tokens must be less than or equal to 8192",
        "Invalid value for 'max_output_tokens': unknown field",
        "'max_tokens' is too large: 5000. It must not exceed 4096.",
        "Range of max_tokens should be [1, 8192]",
        "maxOutputTokens value of 100000 but the supported range is from 1 to 65537",
        "The maximum tokens you requested exceeds the model limit of 8192.",
        "max_tokens: 10000 > 8192, which is the maximum allowed number of output tokens",
    ],
    Part.TOP_P: [
        "Unsupported parameter: 'top_p' is not supported with this model.",
        "top_p must be in (0, 1), got 1.0",
        "`top_p` cannot be used with this model",
        'Unknown name "topP": Cannot find field.',
        "invalid top_p: only 0.95 is allowed for this model",
        "temperature and top_p cannot both be specified",
    ],
    Part.SEED: [
        "Unrecognized request argument supplied: seed",
        "seed: Extra inputs are not permitted",
        "property 'seed' is unsupported",
        'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
        "The parameter `seed` is not supported by this model",
    ],
    Part.LOGPROBS: [
        "This model does not support logprobs",
        "Unsupported parameter: 'top_logprobs' is not supported with this model.",
        "logprobs: Extra inputs are not permitted",
        "`logprobs` is not allowed for reasoning models",
        "Logprobs is not enabled for models/gemini-x",
        "You are not allowed to request logprobs from this model",
        "top_logprobs must be at most 5",
        "Requested logprobs of 20, which is greater than max allowed: 5",
        "Invalid value for 'top_logprobs': must be between 0 and 5",
        "deepseek-reasoner does not support logprob",
        "Log probabilities are not available",
    ],
    Part.PARALLEL_TOOL_CALLS: [
        "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
        "parallel_tool_calls: Extra inputs are not permitted",
    ],
    Part.REASONING_EFFORT: [
        "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
        "Unrecognized request argument supplied: reasoning_effort",
        "Model grok-4 does not support parameter reasoningEffort.",
        '"qwen3" does not support thinking',
    ],
    Part.TOP_K: ["Unrecognized request argument supplied: top_k"],
    Part.PENALTIES: ["unknown field: presence_penalty", "'frequency_penalty' is not supported"],
    Part.LOGIT_BIAS: ["logit_bias is not supported"],
    Part.SERVICE_TIER: ["Unknown parameter: 'service_tier'."],
    Part.VERBOSITY: ["Unknown parameter: 'verbosity'."],
    Part.STOP: ["Unsupported parameter: 'stop' is not supported with this model.",
        "stop is not supported for this model",
        "Too many stop sequences: at most 4 allowed",
    ],
    Part.STORE: ["Unknown parameter: 'store'.", "body.store: Extra inputs are not permitted"],
    Part.N: ["Unknown parameter: 'n'.", "n must be <= 1"],
    Part.ONE_PIECE: [
        "This model only support stream mode, please enable the stream parameter to access it.",
        "parameter.enable_thinking must be set to false for non-streaming calls",
        "Non-streaming requests are not supported for this model",
        "Stream must be set to true",
        "'stream' must be true for this model",
        "This model only supports streaming. Please set `stream=true`.",
    ],
    Part.STREAM: [
        "Your organization must be verified to stream this model.",
        "Streaming is not supported for this model",
        "This model does not support streaming.",
        "Unsupported value: 'stream' is not supported with this model.",
        "streaming is not supported with tools",
        "stream mode is not supported",
    ],
    Part.MISSING_THOUGHTS: [
        "Missing `reasoning_content` field in the assistant message at message index 2.",
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at 2",
    ],
    Part.MISSING_SIGNATURES: [
        "Function call is missing a thought_signature in functionCall parts, which tools require",
        "Invalid thoughtSignature",
        "Corrupted thought signature.",
    ],
    Part.NULL_CONTENT: [
        "messages.2.content: Input should be a valid string, received null",
        "Invalid value for 'content': expected a string, got null.",
        "Failed to deserialize the JSON body: messages[2]: missing field `content` at line 1",
        "content field is required",
        "messages[2].content must not be null",
    ],
    Part.STREAM_OPTIONS: [
        "Unrecognized request argument supplied: stream_options",
        "body.stream_options: Extra inputs are not permitted",
        "stream_options is not supported",
        "The 'stream_options' parameter is only allowed when 'stream' is enabled",
        'unknown field "include_usage"',
    ],
    Part.SYSTEM_ROLE: [
        "System role not supported",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "Only user and assistant roles are supported!",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "This model does not support system messages.",
        'Unexpected role "system". Input messages must have role user or assistant',
        "After the optional system message, conversation roles must alternate user/assistant",
        "messages.0.role: Input should be 'user' or 'assistant'",
        "[{'loc': ['body', 'messages', 0, 'role'], 'msg': \"Input should be 'user'\"}]",
        '[{"loc":["body","messages",0,"role"],"msg":"not a valid enumeration member"}]',
        "[{'type': 'literal_error', 'loc': ('body', 'messages', 0, 'role'), 'msg': 'Should be x'}]",
        "[{'loc': ('body', 'messages', 0, 'ChatMessage', 'role'), 'msg': 'Input should be one'}]",
        "messages -> 0 -> role: Input should be 'user' or 'assistant'",
        "At body -> messages -> 0 -> role: value is not a valid enumeration member",
        "/messages/0/role: must be equal to one of the allowed values",
        "Invalid enum value 'system' - at `$.messages[0].role`",
        '[{"path": ["messages", 0, "role"], "message": "Invalid option: expected one of"}]',
        "{'messages': {'0': {'role': ['Must be one of: user, assistant.']}}}",
        "messages must alternate between user and assistant",
        "Please ensure that multiturn requests alternate between user and model.",
        "user and assistant roles should be alternating",
        "There cannot be two messages with the same role in a row",
        "Consecutive user messages are not supported",
        "Unknown role: developer",
        "system prompt is not supported for this model",
        "'system' is not one of ['user','assistant']",
        "'system' is not one of ['user', 'assistant'] - 'messages.0.role'",
        "messages[0].role: unknown variant `system`, expected `user` or `assistant`",
        "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
        "1 validation error: role must be user or assistant",
        "The first message must be from the user",
        "Conversations must start with a user message",
        "This model doesn't support the 'system' field. Remove 'system' and try again.",
        "Please use a valid role: user, model.",
    ],
    Part.TOOLS: [
        "No endpoints found that support tool use.",
        "registry/model:latest does not support tools",
        "body.tools: Extra inputs are not permitted",
        '"auto" tool choice requires --enable-auto-tool-choice',
        "Function calling is not enabled for this model",
        "tools param requires --jinja flag",
        "`tool_choice` is not supported for this model",
        "该模型不支持工具调用 (tools)",
    ],
    Part.RESPONSE_FORMAT: [
        "This model does not support response format `json_schema`.",
        "'response_format.type' must be 'json_schema' or 'text'",
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported",
        "JSON mode is not enabled for this model",
        "guided_json is not supported with this backend",
        "The model does not support structured outputs",
        "Unsupported grammar: xgrammar failed to compile",
        "This response_format type is unavailable now",
        "Failed to initialize samplers: failed to parse grammar",
        "The specified schema produces a constraint that has too many states for serving.",
        "The grammar is too complex: compiled grammar is too large",
        "参数 response_format 不支持",
        "output_config.format: Extra inputs are not permitted",
    ],
}  # fmt: skip
TOO_LONG = [
    "This model's maximum context length is 4096 tokens. However, your messages resulted in 9120.",
    "prompt is too long: 208310 tokens > 200000 maximum",
    "Your input exceeds the context window of this model.",
    "The input token count (1189574) exceeds the maximum number of tokens allowed (1048576).",
    "Prompt contains 33000 tokens, too large for model with 32768 maximum context length",
    "Please reduce the length of the messages or completion.",
    "the request exceeds the available context size. try increasing it",
    "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081",
    "Input is too long for requested model.",
    "The decoder prompt (length 9000) is longer than the maximum model length of 4096.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "prompt token count of 100000 exceeds the limit of 64000",
    "Requested token count exceeds the model's maximum context length of 4096 tokens",
    "Your request exceeded model token limit: 8192",
    "`inputs` must have less than 1024 tokens. Given: 2048",
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
    "request (14429 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "Requested tokens (2285) exceed context window of 2048",
    "Prompt exceeds n_ctx",
    "Context size has been exceeded.",
    "Trying to keep the first 11490 tokens when context the overflows.",
    "input length and `max_tokens` exceed context limit: 198214 + 8192 > 200000",
    "Input tokens exceed the configured limit of 272000 tokens.",
    "message must be at most 132000 tokens long or the truncation should be enabled",
    "total number of tokens in the messages cannot exceed 4000 - received 8000",
    "Malformed input request: expected maxLength: 51200, actual: 60000, please reformat",
    "Unable to submit request because the input token count is 40000 but model supports 32768.",
    "Input length (5000 tokens) exceeds the maximum allowed length (4090 tokens).",
    "litellm.ContextWindowExceededError: OpenAIException",
    "tokens_limit_reached: Request body too large for gpt-x. Max size: 8000 tokens.",
    "You requested 12000 tokens but the limit is 8192",
    "Number of tokens (5000) exceeds limit 4096",
    "The prompt is 9000 tokens long, but the model accepts only 8192.",
    "The number of tokens in the prompt (5000) is larger than the allowed maximum of 4096",
    "the prompt does not fit into the context",
    "prompt_too_long",
    "model_context_window_exceeded",
    "Your conversation is too long",
    "Error: prompt (8000 tokens) + max_tokens (1000) > context (8192)",
    "Total tokens of image and text exceed max message tokens.",
    "The prompt is 9000 tokens long, but the maximum supported sequence length is just 8192!",
    "length of input_ids (9000) must not exceed max_model_len (8192)",
    "Exceeded token limit for this model",
    "prompt_length_exceeded",
    "Invalid parameter: input length should be [1, 6000]",
    "The input or output tokens must be reduced in order to run successfully",
    "the prompt has 9000 tokens while the model's window is 4096 tokens",
    "\u6a21\u578b\u4e0a\u4e0b\u6587\u957f\u5ea6\u8d85\u9650",
    "Payload too large",
    "Token indices sequence length is longer than the maximum for this model (9000 > 8192)",
    "\u8f93\u5165\u957f\u5ea6\u8d85\u8fc7\u9650\u5236",
]
SHORT_ENOUGH = [
    "max_tokens is too large: 5000. This model supports at most 4096 completion tokens.",
    "Range of max_tokens should be [1, 8192]",
    "The maximum tokens you requested exceeds the model limit of 8192.",
    "tool name is too long",
    "Invalid 'user': string too long. Expected a string with maximum length 64",
    "The request timed out because it took too long",
    "API key is too long",
    "metadata exceeds the limit of 16 keys",
    "too many tools: maximum is 128",
    "Too many images: at most 4 supported",
    "Schema nesting exceeds the limit of 5 levels",
    "the number of stop sequences must be at most 4",
    "Only 5 requests at most are handled at a time",
    "Rate limit: your requests exceed the limit of 10 per minute",
    "Your request has been rejected: the input is inappropriate",
]
DENIED = [
    "API key not valid. Please pass a valid API key.",
    "API key expired. Please renew the API key.",
    "API_KEY_INVALID",
    "Invalid API Key",
    "invalid x-api-key",
    "You didn't provide an API key.",
    "No API key provided",
    "Authentication failed",
    "Missing Authentication header",
    "Access denied due to invalid subscription key",
    "The security token included in the request is invalid",
    "The token has expired",
    "Could not validate credentials",
    "Unauthorized",
    "Your account is not active, please check your billing details",
    "Arrearage: Access denied, please make sure your account is in good standing.",
    "\u65e0\u6548\u7684\u4ee4\u724c",
]
INNOCENT = [
    "That request makes no sense",
    "An assistant message with 'tool_calls' must be followed by tool messages.",
    "The model `gpt-5-mega` does not exist or you do not have access to it.",
    "Request contains an invalid argument.",
    "Incorrect API key provided",
    "{'choices': [{'message': {'content': None}, 'finish_reason': 'error'}], 'code': None}",
]


class ServerSaidError(Exception):
    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status_code = status
        self.body = {"message": message, **more}


@pytest.mark.parametrize(
    ("part", "said"), [(p, said) for p, all_ in WORDS.items() for said in all_]
)
def test_what_is_refused_is_named(part: Part, said: str) -> None:
    assert part in refused_parts(400, said)
    for status in (401, 402, 429, 503, None):
        assert not refused_parts(status, said)


@pytest.mark.parametrize("part", WORDS)
def test_a_good_key_may_be_forbidden_an_option_alone(part: Part) -> None:
    failed = read_failure(ServerSaidError(403, WORDS[part][0]))
    forms = {Part.SYSTEM_ROLE, Part.TOOLS, Part.RESPONSE_FORMAT}
    assert (part in failed.refuses) == (part not in forms)
    assert failed.failure is (Failure.DENIED if part in forms else Failure.REJECTED)


@pytest.mark.parametrize("part", [Part.MISSING_THOUGHTS, Part.MISSING_SIGNATURES])
def test_a_call_without_its_thoughts_is_no_refusal_of_tools(part: Part) -> None:
    for said in WORDS[part]:
        assert refused_parts(400, said) == {part}


@pytest.mark.parametrize(
    "said",
    [
        "messages.1.tool_calls.0.function.thought_signature: Extra inputs are not permitted",
        "Unknown parameter: 'messages[1].tool_calls[0].extra_content.google.thought_signature'.",
        "messages.1.reasoning_content: Extra inputs are not permitted",
        "reasoning_content is not supported; it must be passed as reasoning",
    ],
)
def test_a_thought_that_is_not_wanted_is_none_that_is_missed(said: str) -> None:
    assert not refused_parts(400, said)


def test_other_words_about_thoughts_ask_for_none() -> None:
    said = "tool choice auto requires --reasoning-parser; missing reasoning parser"
    assert refused_parts(400, said) == {Part.TOOLS}
    assert not refused_parts(400, "Thinking is enabled; missing reasoning effort")


@pytest.mark.parametrize(
    "part", [Part.MISSING_THOUGHTS, Part.MISSING_SIGNATURES, Part.NULL_CONTENT]
)
@pytest.mark.parametrize("said", ["Rank these.", '{"tool_calls": []}'])
def test_a_question_without_calls_lacks_nothing_of_them(part: Part, said: str) -> None:
    question = {"role": "user", "content": said}
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    for words in WORDS[part]:
        for messages, lacks in (([question], False), ([question, call], True)):
            failed: Any = ServerSaidError(400, words)
            failed.request = httpx.Request("POST", "http://a", json={"messages": messages})
            assert (part in read_failure(failed).refuses) is lacks


def test_what_a_server_wants_is_told_as_no_refusal_of_it() -> None:
    refused, wanted = refused_and_wanted(Part)
    assert {"temperature", "max_tokens", "system_role"} <= set(refused.split(", "))
    for part in ("missing", "null", "stream,", "in_one_piece"):
        assert part not in refused
    assert "answers in parts" in wanted
    assert len([*refused.split(", "), *wanted.split(", ")]) == len(Part)
    assert refused_and_wanted({Part.NULL_CONTENT}) == ("", "a text beside calls of tools")
    assert refused_and_wanted({Part.SEED}) == ("seed", "")


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize(
    "said",
    [
        "upstream: stream error; service is not available",
        "Streaming connection is not available, try again",
        "Non-streaming requests time out after 10 minutes",
    ],
)
def test_a_stream_that_failed_is_none_that_is_refused(status: int, said: str) -> None:
    assert not refused_parts(status, said)


def test_which_way_of_sending_an_answer_is_refused() -> None:
    for part in (Part.ONE_PIECE, Part.STREAM):
        for said in WORDS[part]:
            assert refused_parts(400, said) & {Part.ONE_PIECE, Part.STREAM} == {part}
    for said in WORDS[Part.STREAM_OPTIONS]:
        assert refused_parts(400, said) == {Part.STREAM_OPTIONS}


def test_a_role_of_tools_is_no_refusal_of_tools() -> None:
    said = "Only user, assistant and tool roles are supported, got system."
    assert refused_parts(400, said) == {Part.SYSTEM_ROLE}


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("said", DENIED)
def test_a_denied_key_is_told_by_the_words(said: str, status: int) -> None:
    failed = read_failure(ServerSaidError(status, said))
    assert failed.failure is Failure.DENIED
    assert not failed.asks_for_less


@pytest.mark.parametrize("status", [400, 422, 424, 500, 502])
def test_a_server_in_front_of_another_may_pass_its_refusal_on(status: int) -> None:
    said = 'Received client error (400) from primary with message "System role not supported"'
    assert refused_parts(status, said) == {Part.SYSTEM_ROLE}


@pytest.mark.parametrize("said", INNOCENT)
def test_another_error_refuses_no_part(said: str) -> None:
    assert not refused_parts(400, said)


@pytest.mark.parametrize("status", [400, 413, 422, 500])
@pytest.mark.parametrize("said", TOO_LONG)
def test_a_prompt_that_is_too_long_is_told_from_a_bad_one(said: str, status: int) -> None:
    failed = read_failure(ServerSaidError(status, said))
    assert failed.failure is Failure.TOO_LONG
    assert not failed.asks_for_less
    assert failed.refuses <= {Part.MAX_TOKENS}


@pytest.mark.parametrize(
    "said", [*INNOCENT, *SHORT_ENOUGH, *(words[0] for words in WORDS.values())]
)
def test_other_errors_are_not_taken_for_a_long_prompt(said: str) -> None:
    assert read_failure(ServerSaidError(400, said)).failure is not Failure.TOO_LONG


@pytest.mark.parametrize(
    ("status", "said", "failure"),
    [
        (402, "Insufficient credits. Add more and retry.", Failure.DENIED),
        (403, "Your model requires moderation and your input was flagged", Failure.REFUSED),
        (403, "This key may not use the model", Failure.DENIED),
        (403, "Your account was flagged for potential abuse", Failure.DENIED),
        (400, "Content Exists Risk", Failure.REFUSED),
        (400, "data_inspection_failed", Failure.REFUSED),
        (429, "You have insufficient balance", Failure.DENIED),
        (400, "Your credit balance is too low to access the API.", Failure.DENIED),
        (429, "Rate limit reached for requests per minute", Failure.RATE_LIMITED),
        (429, "You exceeded your current quota; retry in 20 s", Failure.RATE_LIMITED),
        (429, "This model's maximum context length is 8192 tokens", Failure.TOO_LONG),
        (429, "Number of input tokens has exceeded your rate limit", Failure.RATE_LIMITED),
        (429, "Request too large for gpt-x on tokens per min: Limit 30000", Failure.TOO_LONG),
        (400, "Failed to generate JSON. Please adjust your prompt.", Failure.WRONG_SHAPE),
        (400, "Failed to call a function. See 'failed_generation'.", Failure.WRONG_SHAPE),
        (503, "The model is overloaded", Failure.SERVER_ERROR),
    ],
)
def test_the_kind_is_told_by_status_and_words(status: int, said: str, failure: Failure) -> None:
    assert read_failure(ServerSaidError(status, said)).failure is failure


@pytest.mark.parametrize(
    ("status", "said", "another_way"),
    [
        (404, "No endpoints found that can handle the requested parameters.", True),
        (404, "No endpoints found that support tool use.", True),
        (400, "Request contains an invalid argument.", True),
        (422, "Unprocessable entity", True),
        (405, "Parameter not allowed", True),
        (501, "Not implemented", True),
        (500, "response_format: json_schema is not supported by this backend", True),
        (500, "'NoneType' object has no attribute 'tools'; unsupported", True),
        (500, "oops", False),
        (404, "model 'llama9' not found, try pulling it first", False),
        (404, "The model `gpt-9` does not exist or you do not have access to it.", False),
        (404, "404 page not found", False),
        (404, "Error code: 404 - {'detail': 'Not Found'}", False),
        (400, "The model `llama3` has been decommissioned and is no longer supported.", False),
        (410, "Model gpt-1 was retired on 2025-01-01", False),
        (400, "This model has been deprecated", False),
        (404, "No such model", False),
        (401, "response_format is not supported with this key", False),
        (429, "response_format is not supported", False),
    ],
)
def test_a_refusal_may_mean_the_way_of_asking(status: int, said: str, another_way: bool) -> None:
    assert read_failure(ServerSaidError(status, said)).asks_for_less is another_way


# What is then sent


def chat_model(**options: object) -> ChatOpenAI:
    return ChatOpenAI(**{"model": "m", "api_key": SecretStr("x"), "temperature": 0, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "options", "left"),
    [
        (Part.TEMPERATURE, {}, "temperature"),
        (Part.TOP_P, {"top_p": 0.5}, "top_p"),
        (Part.SEED, {"seed": 7}, "seed"),
        (Part.SEED, {"extra_body": {"seed": 7}}, "seed"),
        (Part.LOGPROBS, {"logprobs": True, "top_logprobs": 5}, "logprobs"),
        (Part.REASONING_EFFORT, {"reasoning_effort": "low"}, "reasoning_effort"),
        (Part.TOP_K, {"extra_body": {"top_k": 7}}, "top_k"),
        (Part.PENALTIES, {"presence_penalty": 0.5}, "presence_penalty"),
        (Part.LOGIT_BIAS, {"logit_bias": {5: 1}}, "logit_bias"),
        (Part.SERVICE_TIER, {"service_tier": "flex"}, "service_tier"),
        (Part.VERBOSITY, {"verbosity": "low"}, "verbosity"),
        (Part.STOP, {"stop": ["#"]}, "stop"),
        (Part.STORE, {"store": True}, "store"),
        (Part.N, {"n": 2}, "'n'"),
    ],
)
def test_a_refused_option_is_left_out(part: Part, options: dict[str, object], left: str) -> None:
    model = chat_model(**options)
    changed = adapted(model, {part})
    assert isinstance(changed, ChatOpenAI)
    before, after = (str(m._get_request_payload([HumanMessage("Hi")])) for m in (model, changed))
    assert left in before
    assert left not in after
    assert adapted(changed, {part}) is None


def test_parallel_calls_are_not_spoken_of_any_more() -> None:
    model = chat_model()
    changed = adapted(model, {Part.PARALLEL_TOOL_CALLS})
    assert changed is not None
    schema = {"title": "ranking", "type": "object", "properties": {}}
    bound: Any = [
        m.with_structured_output(schema, method="function_calling") for m in (model, changed)
    ]
    before, after = (dict(one.first.kwargs) for one in bound)
    assert "parallel_tool_calls" in before
    assert "parallel_tool_calls" not in after
    assert after["tools"] == before["tools"]
    assert adapted(changed, {Part.PARALLEL_TOOL_CALLS}) is None


def test_the_status_of_a_wrapped_error_counts() -> None:
    class WrappedError(Exception):
        pass

    wrapped = WrappedError("It failed")
    wrapped.__cause__ = ServerSaidError(429, "Slow down")
    assert read_failure(wrapped).failure is Failure.RATE_LIMITED
    aws: Any = WrappedError("An error occurred (ValidationException): Input is too long.")
    aws.response = {"ResponseMetadata": {"HTTPStatusCode": 400}}
    assert read_failure(aws).failure is Failure.TOO_LONG


def test_a_model_in_this_process_may_say_that_a_prompt_is_too_long() -> None:
    error = ValueError("Requested tokens (2285) exceed context window of 2048")
    assert read_failure(error).failure is Failure.TOO_LONG


def test_the_longest_answer_is_spelled_in_the_other_way_and_then_left_out() -> None:
    model = chat_model(max_tokens=50)
    swapped = adapted(model, {Part.MAX_TOKENS})
    assert isinstance(swapped, ChatOpenAI)
    payload = swapped._get_request_payload([HumanMessage("Hi")])
    assert "max_completion_tokens" not in payload
    assert payload["extra_body"] == {"max_tokens": 50}
    dropped = adapted(swapped, {Part.MAX_TOKENS})
    assert isinstance(dropped, ChatOpenAI)
    assert "max" not in str(dropped._get_request_payload([HumanMessage("Hi")]))
    assert adapted(dropped, {Part.MAX_TOKENS}) is None


def test_the_usage_of_a_stream_is_not_asked_for_any_more() -> None:
    model = chat_model(stream_usage=True)
    changed = adapted(model, {Part.STREAM_OPTIONS})
    assert isinstance(changed, ChatOpenAI)
    assert changed.stream_usage is False
    assert adapted(changed, {Part.STREAM_OPTIONS}) is None


def test_rules_move_into_what_the_person_says_first() -> None:
    call = {"name": "rate", "args": {}, "id": "1"}
    cases = [
        ([SystemMessage("S"), HumanMessage("A")], [("human", "S\n\nA")]),
        ([HumanMessage("A"), HumanMessage("B")], [("human", "A\n\nB")]),
        ([SystemMessage("S"), SystemMessage("T"), HumanMessage("A")], [("human", "S\n\nT\n\nA")]),
        ([SystemMessage("S")], [("human", "S")]),
        (
            [SystemMessage("S"), AIMessage("", tool_calls=[call]), HumanMessage("A")],
            [("human", "S"), ("ai", ""), ("human", "A")],
        ),
        (
            [SystemMessage("S"), HumanMessage("A"), AIMessage("B"), HumanMessage("C")],
            [("human", "S\n\nA"), ("ai", "B"), ("human", "C")],
        ),
    ]
    for messages, folded in cases:
        before = [message.text for message in messages]
        assert [(m.type, m.text) for m in without_system(messages)] == folded
        assert [message.text for message in messages] == before


def test_an_image_stays_when_rules_move_to_it() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    (message,) = without_system([SystemMessage("S"), HumanMessage([image])])
    assert message.content == [{"type": "text", "text": "S"}, image]


def test_a_filtered_answer_is_a_refusal_though_its_status_is_200() -> None:
    error: Any = ContentFilterFinishReasonError()
    error.response = httpx.Response(200, request=httpx.Request("POST", "http://localhost/v1"))
    assert read_failure(error).failure is Failure.REFUSED


@pytest.mark.parametrize(
    "said",
    [
        "The API deployment for this resource does not exist. Please wait a moment and try again.",
        "DeploymentNotFound",
        "Resource not found",
    ],
)
def test_a_missing_deployment_is_no_refusal_of_a_form(said: str) -> None:
    failed = read_failure(ServerSaidError(404, said))
    assert failed.failure is Failure.REJECTED
    assert not failed.asks_for_less


@pytest.mark.parametrize(
    ("status", "said"), [(498, "Flex tier capacity exceeded"), (499, "Request Cancelled")]
)
def test_a_lack_of_capacity_passes(status: int, said: str) -> None:
    failed = read_failure(ServerSaidError(status, said))
    assert failed.failure is Failure.SERVER_ERROR
    assert not failed.asks_for_less


def test_an_invalid_token_does_not_pass() -> None:
    assert read_failure(ServerSaidError(498, "The token has expired.")).failure is Failure.DENIED
