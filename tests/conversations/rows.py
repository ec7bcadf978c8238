"""Rows in the formats of other systems, as their documentation has them."""

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJeLjz9MK"
WAV = "UklGRiQAAABXQVZFZm10IA=="
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
    "required": ["city"],
    "additionalProperties": False,
}

OPENAI_CHAT = {
    "parallel calls": {
        "messages": [
            {"role": "developer", "content": "Answer briefly."},
            {"role": "user", "content": "Weather in Zürich and 東京? 🌦"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Zürich","unit":"c"}'},
                    },
                    {
                        "id": "call_2",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{ "city" : "\\u6771\\u4eac" }'},
                    },
                    {
                        "id": "call_3",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Paris"}', "strict": True},
                        "index": 2,
                    },
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 12}'},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "21 °C"}]},
            {"role": "tool", "tool_call_id": "call_3", "content": "error", "name": "weather"},
            {"role": "assistant", "content": "12 °C and 21 °C.", "refusal": None, "annotations": []},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather in a city",
                    "parameters": WEATHER,
                    "strict": True,
                },
            },
            {"type": "function", "function": {"name": "now"}},
            {
                "type": "custom",
                "custom": {
                    "name": "sql",
                    "description": "A query",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}},
                },
            },
            {"type": "web_search"},
        ],
    },
    "arguments of every kind": {
        "messages": [
            {"role": "user", "content": "Go on"},
            {
                "role": "assistant",
                "content": "Trying.",
                "name": "helper",
                "weight": 0,
                "tool_calls": [
                    {"id": str(number), "type": "function", "function": {"name": "f", "arguments": text}}
                    for number, text in enumerate(
                        (
                            "{",
                            "",
                            "{}",
                            "null",
                            '{"a": NaN}',
                            '{"a": 1, "a": 2}',
                            '{"b": 1, "a": 2}',
                            '{"a": 1e16}',
                            '{"a": 1.0, "b": -0.0}',
                            '{"a": "\\u0000"}',
                            '{"a": "\\ud800"}',
                            "[" * 90 + "]" * 90,
                            "[" * 2000,
                            '"text"',
                            '{"a":\n\t1}',
                            "9" * 5000,
                        )
                    )
                ]
                + [
                    {"id": None, "type": "function", "function": {"name": "g", "arguments": "{}"}},
                    {"function": {"name": "h", "arguments": {"already": ["read"]}}},
                    {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
                    {"id": "x", "type": "future", "future": {"name": "y"}},
                ],
            },
        ],
        "tools": [],
        "functions": None,
    },
    "files": {
        "messages": [
            {
                "role": "user",
                "name": "ada",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"},
                    },
                    {"type": "image_url", "image_url": {"url": "https://example.org/cat.jpg"}},
                    {"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg/%3E"}},
                    {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
                    {"type": "input_audio", "input_audio": {"data": WAV, "format": "mp3"}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
                    },
                    {"type": "file", "file": {"filename": "b.bin", "file_data": PDF}},
                    {"type": "file", "file": {"file_id": "file-abc123"}},
                    {
                        "type": "text",
                        "text": "End",
                        "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"},
                    },
                    {"type": "hologram", "depth": 3},
                ],
            },
            {"role": "user", "content": [{"type": "text", "text": "Only one part"}]},
            {"role": "user", "content": []},
            {"role": "assistant", "content": "I see.", "audio": {"id": "audio_1"}},
        ]
    },
    "refusals and citations": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": "Pick a lock"},
            {"role": "assistant", "content": None, "refusal": "I cannot help with that."},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "No."}, {"type": "refusal", "refusal": "I cannot."}],
            },
            {"role": "assistant", "refusal": ""},
            {
                "role": "assistant",
                "content": "Water boils at 100 °C.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 0,
                            "end_index": 5,
                            "url": "https://example.org/water",
                            "title": "Water",
                        },
                    }
                ],
            },
            {
                "role": "assistant",
                "content": "Short",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 3,
                            "end_index": 99,
                            "url": "https://e.org",
                            "title": "",
                        },
                    }
                ],
            },
        ]
    },
    "functions of old": {
        "messages": [
            {"role": "user", "content": "Add"},
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "add", "arguments": '{"a":1,\n"b":2}'},
            },
            {"role": "function", "name": "add", "content": "3"},
            {"role": "function", "name": "add", "content": None},
            {"role": "assistant", "content": "3", "function_call": None, "tool_calls": None},
        ],
        "functions": [{"name": "add", "description": "Adds", "parameters": WEATHER}, {"name": "noop"}],
    },
    "reasoning beside text arguments": {
        "messages": [
            {"role": "user", "content": "Think"},
            {
                "role": "assistant",
                "content": "",
                "reasoning_content": "I should call.",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
                ],
            },
        ],
        "tools": [],
    },
    "names that are ours": {
        "messages": [
            {"role": "user", "content": "x", "as": "y", "absent": ["content"]},
            {"role": "tool", "content": "x", "tool_call_id": "1", "as": ["list"]},
            {"role": "function", "name": "f", "content": "x", "as": 1},
            {"role": "user", "content": [{"type": "text", "text": "x", "item": {"as": 1}}], "item": 2},
            {"role": "assistant", "content": "x", "extra": {"absent": 1}, "parts": [], "lengths": [1]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "as": "g"}}],
    },
}

RESPONSES = {
    "a turn with everything": {
        "instructions": "You are careful.",
        "input": [
            {"role": "developer", "content": "Use tools."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look at this 🐈"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
                    {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"},
                    {"type": "input_image", "file_id": "file-1", "image_url": None, "detail": "auto"},
                    {
                        "type": "input_file",
                        "filename": "a.pdf",
                        "file_data": f"data:application/pdf;base64,{PDF}",
                    },
                    {"type": "input_file", "file_data": PDF},
                    {"type": "input_file", "file_url": "https://example.org/b.pdf"},
                    {"type": "input_file", "file_id": "file-2"},
                    {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [
                    {"type": "summary_text", "text": "**Looking**"},
                    {"type": "summary_text", "text": "**Calling**"},
                ],
                "encrypted_content": "gAAAAAB",
                "status": None,
            },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "phase": "commentary",
                "content": [
                    {"type": "output_text", "text": "I will look it up.", "annotations": [], "logprobs": []}
                ],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"city":"Bern"}',
                "status": "completed",
            },
            {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": "{oops"},
            {"type": "function_call_output", "call_id": "call_1", "output": '{"degrees":3}'},
            {
                "type": "function_call_output",
                "call_id": "call_2",
                "id": "fco_1",
                "output": [
                    {"type": "input_text", "text": "a picture"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                ],
                "status": "completed",
            },
            {"type": "custom_tool_call", "call_id": "call_3", "name": "sql", "input": "select 1"},
            {
                "type": "custom_tool_call_output",
                "call_id": "call_3",
                "output": [{"type": "input_text", "text": "1"}],
            },
        ],
        "output": [
            {
                "type": "reasoning",
                "id": "rs_2",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "Hm"}],
            },
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {
                    "type": "search",
                    "query": "bern",
                    "sources": [{"type": "url", "url": "https://e.org"}],
                },
            },
            {
                "type": "file_search_call",
                "id": "fs_1",
                "status": "completed",
                "queries": ["bern"],
                "results": [
                    {"file_id": "f", "filename": "x.md", "score": 0.9, "text": "Bern", "attributes": {}}
                ],
            },
            {
                "type": "code_interpreter_call",
                "id": "ci_1",
                "code": "print(1)",
                "container_id": "c",
                "outputs": [{"type": "logs", "logs": "1"}],
                "status": "completed",
            },
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "name": "roll",
                "arguments": '{"sides":6}',
                "server_label": "dice",
                "output": "4",
                "error": None,
            },
            {
                "type": "image_generation_call",
                "id": "ig_1",
                "result": PNG,
                "status": "completed",
                "output_format": "png",
            },
            {
                "type": "message",
                "id": "msg_2",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {
                        "type": "output_text",
                        "text": "It is 3 °C in Bern.",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://example.org/bern",
                                "title": "Bern",
                                "start_index": 6,
                                "end_index": 18,
                            },
                            {"type": "file_citation", "file_id": "f", "filename": "x.md", "index": 7},
                            {"type": "file_path", "file_id": "g", "index": 3},
                            {
                                "type": "container_file_citation",
                                "container_id": "c",
                                "file_id": "h",
                                "filename": "y.csv",
                                "start_index": 0,
                                "end_index": 2,
                            },
                        ],
                    },
                    {"type": "refusal", "refusal": "No more."},
                ],
            },
        ],
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "parameters": WEATHER,
                "strict": True,
                "description": None,
            },
            {"type": "custom", "name": "sql", "description": "A query", "format": {"type": "text"}},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "mcp", "server_label": "dice", "server_url": "https://example.org/mcp"},
        ],
    },
    "a text and an answer": {
        "input": "Hello",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "id": "m",
                "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
            }
        ],
        "instructions": None,
        "tools": [],
    },
    "items of the client": {
        "input": [
            {"role": "user", "content": "Run it"},
            {"role": "assistant", "content": "Now?"},
            {"role": "assistant", "content": "Well", "phase": "commentary"},
            {"type": "message", "role": "assistant", "content": "Typed"},
            {
                "type": "shell_call",
                "call_id": "sh_1",
                "action": {"commands": ["ls"], "timeout_ms": None},
                "status": "completed",
            },
            {
                "type": "shell_call_output",
                "call_id": "sh_1",
                "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
            },
            {
                "type": "apply_patch_call",
                "call_id": "ap_1",
                "operation": {"type": "delete_file", "path": "a"},
                "status": "completed",
            },
            {"type": "apply_patch_call_output", "call_id": "ap_1", "status": "failed", "output": "no"},
            {
                "type": "computer_call",
                "id": "cu_1",
                "call_id": "call_cu",
                "action": {"type": "click", "x": 1, "y": 2, "button": "left"},
                "pending_safety_checks": [],
                "status": "completed",
            },
            {
                "type": "computer_call_output",
                "call_id": "call_cu",
                "output": {"type": "computer_screenshot", "image_url": "https://example.org/s.png"},
            },
            {"type": "local_shell_call_output", "id": "ls_1", "output": "x"},
            {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAAC"},
            {"type": "compaction_trigger"},
            {"type": "item_reference", "id": "msg_9"},
            {"id": "msg_10"},
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]},
            {"type": "mcp_list_tools", "id": "l", "server_label": "dice", "tools": []},
            {
                "type": "mcp_approval_request",
                "id": "r",
                "arguments": "{}",
                "name": "roll",
                "server_label": "dice",
            },
            {"type": "mcp_approval_response", "approval_request_id": "r", "approve": True},
            {"type": "message", "role": "user", "content": [{"type": "hologram"}]},
            {"role": "user", "content": [{"type": "hologram"}]},
            {"role": "user", "content": []},
            {"role": "user", "content": [{"type": "text", "text": "t", "item": {}}], "item": 3},
            {"type": "function_call_output", "call_id": "x", "output": None},
            {"type": "function_call_output", "call_id": "x", "output": []},
        ]
    },
}

ANTHROPIC = {
    "tools and thinking": {
        "system": [
            {"type": "text", "text": "Be careful.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"type": "text", "text": "And brief."},
        ],
        "messages": [
            {"role": "user", "content": "Weather in Bern and Basel?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Two calls.", "signature": "EqQBCgIYAhIM"},
                    {"type": "redacted_thinking", "data": "EmwKAhgBEgy3"},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}},
                    {
                        "type": "tool_use",
                        "id": "toolu_2",
                        "name": "weather",
                        "input": {},
                        "cache_control": {"type": "ephemeral"},
                        "caller": {"type": "direct"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "3 °C"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_2",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "no city"},
                            {
                                "type": "image",
                                "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                            },
                            {"type": "tool_reference", "tool_name": "weather"},
                        ],
                    },
                    {"type": "text", "text": "Go on"},
                    {"type": "tool_result", "tool_use_id": "toolu_3", "is_error": False},
                    {"type": "tool_result", "tool_use_id": "toolu_4", "content": []},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_5", "content": ""}]},
            {"role": "assistant", "content": "Done.", "stop_reason": "end_turn"},
            {"role": "assistant", "content": [{"type": "text", "text": "Really.", "citations": None}]},
            {"role": "system", "content": "Reminder"},
            {"role": "user", "content": []},
        ],
        "tools": [
            {
                "name": "weather",
                "description": "The weather",
                "input_schema": WEATHER,
                "cache_control": {"type": "ephemeral"},
            },
            {"name": "now", "input_schema": {"type": "object"}, "type": "custom"},
            {"type": "web_search_20260209", "name": "web_search", "max_uses": 3},
        ],
    },
    "tools of the server, with citations": {
        "system": "Cite.",
        "messages": [
            {"role": "user", "content": "Who?"},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "server_tool_use",
                        "id": "srvtoolu_1",
                        "name": "web_search",
                        "input": {"query": "who"},
                    },
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "srvtoolu_1",
                        "content": [
                            {
                                "type": "web_search_result",
                                "url": "https://example.org/who",
                                "title": "Who",
                                "encrypted_content": "EqgfC",
                                "page_age": "April 30, 2026",
                            },
                            {
                                "type": "web_search_result",
                                "url": "https://example.org/two",
                                "title": "Two",
                                "encrypted_content": "x",
                            },
                        ],
                    },
                    {
                        "type": "text",
                        "text": "She did.",
                        "citations": [
                            {
                                "type": "web_search_result_location",
                                "url": "https://example.org/who",
                                "title": "Who",
                                "encrypted_index": "Eo8B",
                                "cited_text": "She…",
                            }
                        ],
                    },
                    {"type": "server_tool_use", "id": "s2", "name": "code_execution", "input": {"code": "1"}},
                    {
                        "type": "code_execution_tool_result",
                        "tool_use_id": "s2",
                        "content": {
                            "type": "code_execution_result",
                            "stdout": "1",
                            "stderr": "",
                            "return_code": 0,
                            "content": [],
                        },
                    },
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "s3",
                        "content": {
                            "type": "web_search_tool_result_error",
                            "error_code": "max_uses_exceeded",
                        },
                    },
                    {
                        "type": "mcp_tool_use",
                        "id": "m1",
                        "name": "echo",
                        "server_name": "s",
                        "input": {"a": 1},
                    },
                    {
                        "type": "mcp_tool_result",
                        "tool_use_id": "m1",
                        "is_error": False,
                        "content": [{"type": "text", "text": "hi"}],
                    },
                    {"type": "compaction", "content": "Earlier, they spoke of rain."},
                    {"type": "container_upload", "file_id": "file_011"},
                    {"type": "fallback", "from": "a", "to": "b"},
                ],
            },
        ],
    },
    "documents": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "title": "Report",
                        "context": "of 2025",
                        "citations": {"enabled": True},
                        "source": {"type": "text", "media_type": "text/plain", "data": "It rained.\nA lot."},
                    },
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "title": "Paper",
                    },
                    {
                        "type": "document",
                        "source": {
                            "type": "content",
                            "content": [{"type": "text", "text": "a\n\nb"}, {"type": "text", "text": "c"}],
                        },
                    },
                    {"type": "document", "source": {"type": "content", "content": "one"}, "title": None},
                    {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
                    {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                    {
                        "type": "document",
                        "source": {
                            "type": "content",
                            "content": [{"type": "image", "source": {"type": "x"}}],
                        },
                    },
                    {
                        "type": "search_result",
                        "source": "https://example.org/search",
                        "title": "Found",
                        "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "second"}],
                        "citations": {"enabled": True},
                    },
                    {
                        "type": "search_result",
                        "source": "kb",
                        "title": "One",
                        "content": [{"type": "text", "text": "x"}],
                    },
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                    {"type": "image", "source": {"type": "file", "file_id": "file_2"}},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "no base64!"},
                    },
                    {"type": "text", "text": "What happened?"},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "text",
                        "text": "It rained",
                        "citations": [
                            {
                                "type": "char_location",
                                "cited_text": "It rained.",
                                "document_index": 0,
                                "document_title": "Report",
                                "start_char_index": 0,
                                "end_char_index": 10,
                                "file_id": None,
                            },
                            {
                                "type": "page_location",
                                "cited_text": "p",
                                "document_index": 1,
                                "document_title": "Paper",
                                "start_page_number": 1,
                                "end_page_number": 2,
                            },
                            {
                                "type": "content_block_location",
                                "cited_text": "c",
                                "document_index": 2,
                                "document_title": None,
                                "start_block_index": 1,
                                "end_block_index": 2,
                            },
                            {
                                "type": "search_result_location",
                                "cited_text": "first",
                                "search_result_index": 0,
                                "source": "https://example.org/search",
                                "title": "Found",
                                "start_block_index": 0,
                                "end_block_index": 1,
                            },
                        ],
                    }
                ],
            },
        ],
        "tools": [],
        "system": None,
    },
}

HUGGING_FACE = {
    "calls with objects": {
        "messages": [
            {"role": "system", "content": "You may call tools."},
            {"role": "user", "content": "Weather in Bern?"},
            {
                "role": "assistant",
                "reasoning_content": "I should look.",
                "tool_calls": [
                    {
                        "type": "function",
                        "function": {"name": "weather", "arguments": {"unit": "c", "city": "Bern"}},
                    },
                    {"function": {"name": "now", "arguments": {}}},
                    {"id": "1", "type": "function", "function": {"name": "now", "arguments": None}},
                    {"name": "bare", "arguments": {"a": 1}},
                ],
            },
            {"role": "tool", "name": "weather", "content": "3.5"},
            {"role": "tool", "content": "now"},
            {"role": "assistant", "thinking": "Fine.", "content": "3.5 °C", "tool_calls": []},
            {"role": "assistant", "reasoning_content": None, "content": "", "tool_calls": None},
        ],
        "tools": [
            {"type": "function", "function": {"name": "weather", "description": "…", "parameters": WEATHER}},
            {"name": "now", "parameters": {}},
        ],
    },
    "tools as text": {
        "messages": [
            {"role": "user", "content": "Go"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"type": "function", "function": {"name": "f", "arguments": '{"a":  1}'}, "id": "9"}
                ],
            },
        ],
        "tools": '[ {"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}} ]',
    },
    "documents": {
        "messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "There."}],
        "documents": [
            {"title": "Map", "text": "There."},
            {"title": "Map", "text": "There.", "doc_id": 3},
            {"text": None, "contents": "x"},
        ],
        "tools": None,
    },
    "files": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image"},
                    {"type": "image", "url": "https://example.org/a.png"},
                    {"type": "image", "image": f"data:image/png;base64,{PNG}"},
                    {"type": "video", "path": "/a.mp4"},
                    {"type": "text", "text": "What?"},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "A cat."}], "thinking": "cat"},
        ]
    },
}

OTEL = {
    "an agent's turn": {
        "gen_ai.system_instructions": [{"type": "text", "content": "Answer briefly."}],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "I should look."},
                    {"type": "text", "content": "Looking."},
                    {
                        "type": "tool_call",
                        "id": "call_1",
                        "name": "weather",
                        "arguments": {"unit": "c", "city": "Paris"},
                    },
                    {"type": "tool_call", "id": "call_2", "name": "weather", "arguments": '{ "city":"Bern"}'},
                    {"type": "tool_call", "id": None, "name": "now"},
                ],
            },
            {
                "role": "tool",
                "parts": [
                    {"type": "tool_call_response", "id": "call_1", "response": "rainy, 57°F"},
                    {"type": "tool_call_response", "id": "call_2", "result": {"degrees": 12}},
                    {"type": "tool_call_response", "response": ["x", None], "took": 3},
                ],
            },
            {"role": "user", "name": "ada", "parts": [{"type": "text", "content": "And now?"}]},
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "It rains in Paris."}],
                "finish_reason": "stop",
            }
        ],
        "gen_ai.tool.definitions": [
            {"type": "function", "name": "weather", "description": "In a city", "parameters": WEATHER},
            {"type": "extension", "name": "search"},
        ],
        "gen_ai.retrieval.documents": [
            {"id": "doc_1", "score": 0.95},
            {"id": "doc_2", "score": 1, "content": "It rains.", "title": "Rain", "page": 3},
            {"score": "high"},
        ],
    },
    "files and tools of the server": {
        "gen_ai.system_instructions": [{"type": "text", "content": "A"}, {"type": "text", "content": "B"}],
        "gen_ai.input.messages": [
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {"type": "blob", "mime_type": "image/png", "modality": "image", "content": PNG},
                    {"type": "blob", "modality": "audio", "content": WAV},
                    {"type": "uri", "modality": "image", "uri": "https://example.org/cat.jpg"},
                    {"type": "file", "modality": "video", "mime_type": None, "file_id": "file-1"},
                    {"type": "compaction", "content": "Earlier, they spoke of rain."},
                    {"type": "hologram", "depth": 2},
                ],
            }
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {
                        "type": "server_tool_call",
                        "id": "s1",
                        "name": "code",
                        "server_tool_call": {"type": "code_interpreter", "code": "1+1"},
                    },
                    {
                        "type": "server_tool_call_response",
                        "id": "s1",
                        "server_tool_call_response": {"type": "code_interpreter", "output": "2"},
                    },
                    {"type": "text", "content": "A cat.", "annotations": []},
                ],
                "finish_reason": "length",
                "index": 0,
            },
            {"role": "assistant", "parts": [], "finish_reason": "error"},
        ],
    },
    "as texts": {
        "gen_ai.system_instructions": "Answer briefly.",
        "gen_ai.input.messages": '[{"role": "user",  "parts": [{"type": "text", "content": "Hi"}]}]',
        "gen_ai.output.messages": '[{"role":"assistant","content":"Hello"}]',
        "gen_ai.tool.definitions": [{"type": "function", "name": "now"}],
        "gen_ai.retrieval.documents": None,
    },
    "instructions within the messages": {
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]},
            {"role": "developer", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        ],
        "gen_ai.output.messages": [],
    },
}

ROWS = {
    "openai.chat": OPENAI_CHAT,
    "openai.responses": RESPONSES,
    "anthropic": ANTHROPIC,
    "hf": HUGGING_FACE,
    "otel": OTEL,
}
EVERY_ROW = [(key, name) for key, rows in ROWS.items() for name in rows]
