"""One official release, asked over pipes: ``PYTHONPATH=<oracle's folder> python oracle_worker.py``.

Standard library only, and importable nowhere else: each release needs a process of its own.
One JSON request a line on stdin, ``{"op": ..., ...}``; one JSON reply a line on stdout,
``{"ok": result}`` or ``{"error": text}``. Whatever the official code prints goes to stderr.
Values are in the notation of ``normal.py``. The operations are described in ``oracle.py``.

The official loops run themselves: decoding is ``EClient.run()`` with one payload in its queue,
encoding is the public request method over a connection that only remembers.
"""

import json
import logging
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]  # our names shadow nothing

import enum  # noqa: E402
import importlib  # noqa: E402
import inspect  # noqa: E402
import pkgutil  # noqa: E402
import runpy  # noqa: E402
import signal  # noqa: E402
import types  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import Any  # noqa: E402

NORMAL = runpy.run_path(os.path.join(HERE, "normal.py"))
normalise: Callable[[object], Any] = NORMAL["normalise"]
denormalise: Callable[..., Any] = NORMAL["denormalise"]

CASE_SECONDS = 20
NOT_DATA = ("client", "comm", "connection", "decoder", "enum_implem", "errors", "message", "object_implem",
            "orderdecoder", "reader", "sync_wrapper", "utils", "wrapper")  # fmt: skip


class CaseTimeout(BaseException):
    """Not an Exception: the official client must not be able to swallow it."""


class Unknown(Exception):
    """This release has no such class, method or attribute."""


def load_modules() -> dict[str, types.ModuleType]:
    package = importlib.import_module("ibapi")
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg]
    return {name: importlib.import_module(f"ibapi.{name}") for name in names}


def load_messages() -> dict[str, Any]:
    """Protobuf message name (nested ones dotted, no package) -> class; empty before 10.37."""
    try:
        package = importlib.import_module("ibapi.protobuf")
        factory = importlib.import_module("google.protobuf.message_factory")
    except ModuleNotFoundError:
        return {}
    found: dict[str, Any] = {}

    def add(descriptor: Any, prefix: str) -> None:
        name = prefix + descriptor.name
        found[name] = factory.GetMessageClass(descriptor)
        for nested in descriptor.nested_types:
            if not nested.GetOptions().map_entry:
                add(nested, name + ".")

    for info in pkgutil.iter_modules(package.__path__):
        for descriptor in importlib.import_module(
            f"ibapi.protobuf.{info.name}"
        ).DESCRIPTOR.message_types_by_name.values():
            add(descriptor, "")
    return found


def public_methods(cls: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")]


class Release:
    """The modules of one release and what the operations need of them."""

    def __init__(self) -> None:
        self.modules = load_modules()
        self.messages = load_messages()
        for module in self.modules.values():
            if hasattr(module, "currentTimeMillis"):
                vars(module)["currentTimeMillis"] = lambda: 0  # its clock shows in error(): keep replies repeatable
        self.EClient: Any = self.modules["client"].EClient
        self.EWrapper: Any = self.modules["wrapper"].EWrapper
        self.BadMessage: Any = self.modules["utils"].BadMessage
        self.classes: dict[str, type] = {}
        self.enums: dict[str, Any] = {}
        for name, module in self.modules.items():
            for item in vars(module).values():
                if not inspect.isclass(item) or item.__module__ != module.__name__:
                    continue
                if issubclass(item, enum.Enum):
                    self.enums[item.__name__] = item
                elif name not in NOT_DATA:
                    self.classes[item.__name__] = item
        self.recorder_class = self._recorder_class()
        self._clients: dict[int, Any] = {}

    def _recorder_class(self) -> type:
        """EWrapper with every public method writing itself down; the ...ProtoBuf ones stay as they are."""

        def recording(name: str, signature: inspect.Signature) -> Callable[..., None]:
            def method(self: Any, *args: object, **kwargs: object) -> None:
                bound = signature.bind(self, *args, **kwargs)  # TypeError, as the real method would raise
                bound.apply_defaults()
                self.calls.append([name, [normalise(item) for item in list(bound.arguments.values())[1:]]])

            return method

        methods = {
            name: recording(name, inspect.signature(getattr(self.EWrapper, name)))
            for name in public_methods(self.EWrapper)
            if not name.endswith("ProtoBuf") and name != "logAnswer"
        }
        return type("Recorder", (self.EWrapper,), methods)

    def decoding_client(self, server_version: int) -> Any:
        """A client whose run() ends when its queue is empty. One per version: making a Decoder is slow."""
        if server_version not in self._clients:
            overrides = {
                "isConnected": lambda self: False,
                "disconnect": lambda self: None,
            }
            client = type("DecodingClient", (self.EClient,), overrides)(self.recorder_class())
            client.serverVersion_ = server_version
            client.decoder = self.modules["decoder"].Decoder(client.wrapper, server_version)
            for name in ("interpret", "processProtoBuf"):
                if hasattr(client.decoder, name):
                    setattr(client.decoder, name, self._noting(client, getattr(client.decoder, name)))
            self._clients[server_version] = client
        return self._clients[server_version]

    def _noting(self, client: Any, method: Callable[..., None]) -> Callable[..., None]:
        """run() swallows BadMessage: remember that there was one."""

        def wrapped(*args: object) -> None:
            try:
                method(*args)
            except self.BadMessage as error:
                client.bad_message = error
                raise

        return wrapped

    # -- objects -----------------------------------------------------------------------------

    def rebuild(self, value: Any, dropped: list[str], drop_unknown: bool) -> Any:
        def build(kind: str, item: Any) -> Any:
            if kind == "pb":
                return self.message(item["pb"]).FromString(bytes.fromhex(item["hex"]))
            if kind == "e":
                for name, cls in self.enums.items():
                    if item.get("t", name) == name and item["e"] in cls.__members__:
                        return cls[item["e"]]
                raise Unknown(f"enum member {item['e']}")
            target = self.instance(item["o"])
            for name, attribute in item["v"].items():
                if hasattr(target, name):
                    setattr(target, name, denormalise(attribute, build))
                else:
                    dropped.append(f"{item['o']}.{name}")
                    if not drop_unknown:
                        raise Unknown(f"{item['o']}.{name}")
            return target

        return denormalise(value, build)

    def instance(self, name: str) -> Any:
        if name not in self.classes:
            raise Unknown(name)
        cls = self.classes[name]
        required = [
            parameter.name
            for parameter in inspect.signature(cls).parameters.values()
            if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        return cls(**dict.fromkeys(required))

    def message(self, name: str) -> Any:
        if name not in self.messages:
            raise Unknown(f"protobuf message {name}")
        return self.messages[name]


class RememberingConnection:
    """Stands where the official Connection stands."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.wrapper = None

    def isConnected(self) -> bool:
        return True

    def disconnect(self) -> None:
        pass

    def sendMsg(self, msg: bytes) -> int:
        self.frames.append(bytes(msg))
        return len(msg)


def exception_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def decode_one(release: Release, server_version: int, payload: bytes) -> Any:
    client = release.decoding_client(server_version)
    client.wrapper.calls = []
    client.bad_message = None
    client.msg_queue.put(payload)
    failure: BaseException | None = None
    signal.alarm(CASE_SECONDS)
    try:
        client.run()
    except (Exception, CaseTimeout) as error:
        failure = error
    finally:
        signal.alarm(0)
    failure = failure or client.bad_message
    calls = client.wrapper.calls
    return calls if failure is None else {"exception": exception_text(failure), "calls": calls}


def encode_one(release: Release, case: dict[str, Any], drop_unknown: bool) -> Any:
    wrapper = release.recorder_class()
    wrapper.calls = []
    client = release.EClient(wrapper)
    client.conn = connection = RememberingConnection()
    client.serverVersion_ = case["server_version"]
    client.clientId = 0
    client.setConnState(release.EClient.CONNECTED)
    dropped: list[str] = []
    result: dict[str, Any] = {"exception": None, "unknown": None}
    signal.alarm(CASE_SECONDS)
    try:
        for name, value in case.get("client", {}).items():
            setattr(client, name, value)
        if case["method"] not in public_methods(release.EClient):
            raise Unknown(f"EClient.{case['method']}")
        args = release.rebuild(case["args"], dropped, drop_unknown)
        getattr(client, case["method"])(*args)
    except Unknown as error:
        result["unknown"] = str(error)
    except (Exception, CaseTimeout) as error:
        result["exception"] = exception_text(error)
    finally:
        signal.alarm(0)
    names = [name for name in inspect.signature(release.EWrapper.error).parameters if name != "self"]
    errors = [dict(zip(names, args, strict=False)) for name, args in wrapper.calls if name == "error"]
    result["frames"] = [frame.hex() for frame in connection.frames]
    result["errors"] = [[error["errorCode"], error["reqId"]] for error in errors]
    result["texts"] = [error["errorString"] for error in errors]
    result["dropped"] = dropped
    return result


# -- describe --------------------------------------------------------------------------------------


def annotation_text(annotation: Any) -> str | None:
    if annotation is inspect.Parameter.empty:
        return None
    return str(getattr(annotation, "__name__", annotation))


def describe_methods(cls: type, out_names: set[str]) -> dict[str, Any]:
    """Parameters as [name, annotation or None, default in a list or None]; `out` are the OUT ids named in the body."""
    described = {}
    for name in public_methods(cls):
        method = getattr(cls, name)
        parameters = list(inspect.signature(method).parameters.values())[1:]
        described[name] = {
            "params": [
                [p.name, annotation_text(p.annotation), None if p.default is p.empty else [normalise(p.default)]]
                for p in parameters
            ],
            "out": [word for word in method.__code__.co_names if word in out_names],
        }
    return described


def describe_classes(release: Release) -> dict[str, Any]:
    described = {}
    for name, cls in release.classes.items():
        described[name] = {
            "module": cls.__module__.removeprefix("ibapi."),
            "bases": [base.__name__ for base in cls.__mro__[1:] if base.__name__ in release.classes],
            "init": list(inspect.signature(cls).parameters),
            "attributes": normalise(release.instance(name))["v"],
            "constants": {
                key: normalise(value)
                for key, value in vars(cls).items()
                if not key.startswith("_") and isinstance(value, (int, float, str))
            },
        }
    return described


def describe_constants(release: Release) -> dict[str, Any]:
    """UPPER_CASE values by name; the version gates are apart."""
    constants = {}
    for module in release.modules.values():
        for name, value in vars(module).items():
            plain = name.isupper() and isinstance(value, (int, float, str))
            if (plain or name.startswith("UNSET_")) and not name.startswith("MIN_SERVER_VER_"):
                constants[name] = normalise(value)
    return constants


def describe_enums(release: Release) -> dict[str, Any]:
    described: dict[str, Any] = {
        name: {member.name: normalise(member.value) for member in cls} for name, cls in release.enums.items()
    }
    simple = release.modules["enum_implem"].Enum
    for module in release.modules.values():
        for name, value in vars(module).items():
            if isinstance(value, simple):
                described[name] = {key: index for key, index in vars(value).items() if isinstance(index, int)}
    return described


def describe_handlers(release: Release, table_name: str) -> dict[str, Any]:
    """Incoming id -> the callback taken by signature, the handler, and the protobuf messages it names."""
    decoder = release.modules["decoder"]
    described = {}
    for number, info in getattr(decoder.Decoder, table_name, {}).items():
        process = info.processMeth
        named: list[Any] = [vars(decoder).get(word) for word in process.__code__.co_names] if process else []
        described[str(number)] = {
            "callback": info.wrapperMeth.__name__ if info.wrapperMeth else None,
            "handler": process.__name__ if process else None,
            "messages": [item.DESCRIPTOR.name for item in named if hasattr(item, "DESCRIPTOR")],
        }
    return described


def describe_field(field: Any) -> dict[str, Any]:
    kinds = {
        getattr(field, key): key.removeprefix("TYPE_").lower() for key in dir(type(field)) if key.startswith("TYPE_")
    }
    labels = {field.LABEL_OPTIONAL: "optional", field.LABEL_REPEATED: "repeated", field.LABEL_REQUIRED: "required"}
    nested = field.message_type
    is_map = nested is not None and nested.GetOptions().map_entry
    return {
        "name": field.name,
        "number": field.number,
        "type": kinds[field.type],
        "label": labels[field.label],
        "presence": bool(field.has_presence),
        "packed": bool(getattr(field, "is_packed", False)),
        "map": [describe_field(nested.fields_by_name[part]) for part in ("key", "value")] if is_map else None,
        "message": None if nested is None or is_map else nested.full_name.removeprefix(nested.file.package + "."),
        "enum": {v.name: v.number for v in field.enum_type.values} if field.enum_type is not None else None,
    }


def describe(release: Release) -> dict[str, Any]:
    message = release.modules["message"]
    versions = vars(release.modules["server_versions"])
    ids = {
        side: {name: value for name, value in vars(getattr(message, side)).items() if isinstance(value, int)}
        for side in ("IN", "OUT")
    }
    client = vars(release.modules["client"])
    pair = release.modules["errors"].CodeMsgPair
    return {
        **ids,
        "min_client_version": versions.get("MIN_CLIENT_VER", client.get("MIN_CLIENT_VER")),
        "max_client_version": versions.get("MAX_CLIENT_VER", client.get("MAX_CLIENT_VER")),
        "min_server_versions": {name: value for name, value in versions.items() if name.startswith("MIN_SERVER_VER_")},
        "constants": describe_constants(release),
        "enums": describe_enums(release),
        "error_codes": {
            name: value.code() for name, value in vars(release.modules["errors"]).items() if isinstance(value, pair)
        },
        "wrapper": describe_methods(release.EWrapper, set()),
        "client": describe_methods(release.EClient, set(ids["OUT"])),
        "classes": describe_classes(release),
        "handlers": describe_handlers(release, "msgId2handleInfo"),
        "proto_handlers": describe_handlers(release, "msgId2handleInfoProtoBuf"),
        "proto_since": {
            str(number): gate
            for number, gate in getattr(release.modules["common"], "PROTOBUF_MSG_IDS", {}).items()
        },
        "messages": {
            name: [describe_field(field) for field in cls.DESCRIPTOR.fields] for name, cls in release.messages.items()
        },
    }  # fmt: skip


# -- protobuf --------------------------------------------------------------------------------------


def parsed(message: Any) -> dict[str, Any]:
    """The fields that are present, by name; what no descriptor knows under "?unknown"."""
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        nested = field.message_type
        if nested is not None and nested.GetOptions().map_entry:
            result[field.name] = normalise({key: value[key] for key in value})
        elif field.label == field.LABEL_REPEATED:
            result[field.name] = [parsed(item) if nested is not None else normalise(item) for item in value]
        else:
            result[field.name] = parsed(value) if nested is not None else normalise(value)
    unknown = importlib.import_module("google.protobuf.unknown_fields").UnknownFieldSet(message)
    if len(unknown):
        result["?unknown"] = [[item.field_number, item.wire_type, normalise(item.data)] for item in unknown]
    return result


def parse_one(release: Release, name: str, data: bytes) -> dict[str, Any]:
    try:
        return {"fields": parsed(release.message(name).FromString(data))}
    except Exception as error:
        return {"exception": exception_text(error)}


# -- the loop --------------------------------------------------------------------------------------


def answer(release: Release, request: dict[str, Any]) -> Any:
    op = request["op"]
    if op == "decode":
        return [decode_one(release, version, bytes.fromhex(payload)) for version, payload in request["cases"]]
    if op == "encode":
        return [encode_one(release, case, request.get("drop_unknown", False)) for case in request["cases"]]
    if op == "pb_parse":
        return [parse_one(release, name, bytes.fromhex(data)) for name, data in request["cases"]]
    if op == "describe":
        return describe(release)
    raise ValueError(f"no operation {op!r}")


def replies(release: Release, lines: Any) -> Iterator[str]:
    for line in lines:
        try:
            reply = {"ok": answer(release, json.loads(line))}
        except Exception as error:
            reply = {"error": exception_text(error)}
        yield json.dumps(reply)


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # sys.stdout stays a text stream (the official code asks for its encoding) but leads to stderr
    logging.disable(logging.CRITICAL)

    def time_out(signum: int, frame: types.FrameType | None) -> None:
        raise CaseTimeout(f"more than {CASE_SECONDS} s")

    signal.signal(signal.SIGALRM, time_out)
    release = Release()
    for reply in replies(release, sys.stdin):
        out.write(reply + "\n")
        out.flush()


if __name__ == "__main__":
    main()
