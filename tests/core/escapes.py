"""Programs that try to get out of the sandbox, each with what they are after.

A program that has reached what it must not reach returns `WON`. Everything else is seen from outside: a file that was
written, a process that was ended, an honest program that gives other weights afterwards, time and memory beyond the
limits. `@FOLDER@` is a folder that can be written, with the file `secret` in it; `@BYSTANDER@` is another process. No
program does more than show that it could: it forks once, writes one empty file, fills no disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.sandbox_programs import HEAD, body

WON: Final = 666.0
SECRET: Final = "the canary sings"

STOLEN: Final = "reaches what no program may have, and says so"
WRITES: Final = "a file appears or changes"
SPOILS: Final = "the next program gives other weights, or none"
ENDS: Final = "another process gets a signal"
TIME: Final = "runs beyond its time"
MEMORY: Final = "takes more memory than it may"
CRASH: Final = "ends the process that the next program needs"


@dataclass(frozen=True)
class Case:
    """One attempt."""

    category: str
    name: str
    source: str
    harm: str
    """How it would show that it worked."""


CASES: Final[list[Case]] = []


def _add(category: str, harm: str, **sources: str) -> None:
    CASES.extend(Case(category, name.replace("_", " "), source, harm) for name, source in sources.items())


def _won(*lines: str) -> str:
    """A program that has won if its lines run through."""
    return body(*lines, "return 666.0")


_BASE = "().__class__.__base__"
_OS = f"next(c for c in {_BASE}.__subclasses__() if c.__name__ == '_wrap_close').__init__.__globals__"
_TOUCH = "os['close'](os['open']('@FOLDER@/escaped', 65))"


def _with_os(*lines: str) -> str:
    """A program that has walked to the module os."""
    return _won(f"os = {_OS}", *lines)


# What hangs together with everything else

_add(
    "object graph",
    STOLEN,
    subclasses=_won(f"assert len({_BASE}.__subclasses__()) > 50"),
    mro=_won("assert [c for c in (1).__class__.mro()]"),
    bases=_won("assert ''.__class__.__bases__"),
    the_class_of_a_sentence=_won("assert s.__class__.__init__"),
    globals_of_head=_won("assert head.__globals__"),
    globals_of_softmax=_won("assert softmax.__globals__['np']"),
    code_of_head=_won("assert head.__code__.co_consts"),
    closure=_won("x = 1", "def inner():", "    return x", "assert inner.__closure__"),
    defaults=_won("head.__defaults__ = (1,)"),
    self_of_a_builtin=_won("assert len.__self__"),
    self_of_a_method=_won("assert s.previous.__self__, s.previous.__func__"),
    wrapped_function="import functools\n"
    + _won("@functools.cache", "def f():", "    return 1", "assert f.__wrapped__"),
    function_of_a_partial="import functools\n" + _won("assert functools.partial(head, 1).func"),
    dict_of_numpy=_won("assert np.__dict__"),
    dict_of_the_sentence=_won("assert s.__dict__"),
    private_reading=_won("assert s._reading"),
    getattribute=_won("assert s.__getattribute__('__class__')"),
    getattr=_won("assert getattr(s, '__class' + '__')"),
    vars_and_dir=_won("assert vars(s), dir(s)"),
    globals_and_locals=_won("assert globals()['__builtins__'], locals()"),
    builtins=_won("assert __builtins__"),
    loader=_won("assert __loader__, __spec__"),
    import_call=_won("os = __import__('os')", "assert os.getpid()"),
    import_os="import os\n" + _won("assert os.getpid()"),
    import_importlib="import importlib\n" + _won("assert importlib.import_module('os')"),
    import_builtins="from builtins import open, eval\n" + _won("assert eval('1')"),
    import_through_numpy="from numpy import os\n" + _won("assert os"),
    import_of_a_part="import numpy.lib.format as f\n" + _won("assert f.open_memmap"),
    gc_objects="import gc\n" + _won("assert gc.get_objects()"),
    type_with_three_arguments=_won("assert type('A', (list,), {})()"),
    reduce=_won("assert s.first.__reduce_ex__(2)"),
    origin_of_an_alias="from typing import List\n" + _won("assert List[int].__origin__"),
    forward_reference="from typing import List, get_type_hints\n" + _won("assert get_type_hints(head)"),
    named_tuple="from collections import namedtuple\n" + _won("assert namedtuple('A', 'b')"),
    names_through_r_=_won("secret = np.ones(1)", "assert np.r_['secret'].__class__"),
    environment="import os\n" + _won("assert os.environ['HF_TOKEN']"),
)
_add(
    "frames",
    STOLEN,
    frame_of_a_generator=_won("g = (1 for _ in [1])", "assert g.gi_frame.f_builtins"),
    back_from_a_generator=_won(
        "def g():", "    yield me.gi_frame.f_back.f_back.f_globals", "me = g()", "assert next(me)"
    ),
    code_of_a_generator=_won("assert (1 for _ in [1]).gi_code"),
    frame_of_a_coroutine=_won("async def c():", "    pass", "x = c()", "assert x.cr_frame", "x.close()"),
    frame_of_an_async_generator=_won("async def c():", "    yield 1", "assert c().ag_frame"),
    frame_of_a_traceback=_won(
        "try:", "    1 / 0", "except ZeroDivisionError as e:", "    assert e.__traceback__.tb_frame.f_back.f_globals"
    ),
    traceback_of_a_group=_won(
        "try:",
        "    raise ExceptionGroup('', [ValueError()])",
        "except* ValueError as e:",
        "    assert e.__traceback__.tb_frame",
    ),
    context_of_an_error=_won("try:", "    1 / 0", "except ZeroDivisionError as e:", "    assert e.__context__ is None"),
    object_of_an_attribute_error=_won("try:", "    head.x", "except AttributeError as e:", "    assert e.obj"),
    get_frame="import sys\n" + _won("assert sys._getframe().f_back"),
    inspect="import inspect\n" + _won("assert inspect.currentframe()"),
    tracing="import sys\n" + _won("sys.settrace(print)", "sys.settrace(None)"),
)
_add(
    "format strings",
    STOLEN,
    format=_won("assert '{0.__class__.__init__}'.format(s)"),
    format_map=_won("assert '{s.__class__.__init__}'.format_map({'s': s})"),
    format_by_map=_won("assert list(map('{0.__class__}'.format, [s]))"),
    f_string=_won("assert f'{s.__class__.__init__}'"),
    f_string_in_its_format=_won("assert f'{s.n:{s.n.__class__.__name__ and 3}}'"),
    formatter="import string\n" + _won("assert string.Formatter().format('{0.__class__}', s)"),
    template="from string import Template\n" + _won("assert Template('$a').pattern"),
    format_builtin=_won("assert format(s.n, '>9')", "assert s.n.__format__"),
    logging="import logging\n" + _won("assert logging.root"),
)

# numpy's other half

_add(
    "numpy loaders",
    WRITES,
    save=_won("np.save('@FOLDER@/escaped', np.ones(1))"),
    savetxt=_won("np.savetxt('@FOLDER@/escaped', np.ones(1))"),
    tofile=_won("np.ones(1).tofile('@FOLDER@/escaped')"),
    dump=_won("np.ones(1).dump('@FOLDER@/escaped')"),
    memmap=_won("np.memmap('@FOLDER@/escaped', mode='w+', shape=(1,))"),
    open_memmap=_won("np.lib.format.open_memmap('@FOLDER@/escaped', mode='w+', shape=(1,))"),
    savez=_won("np.savez('@FOLDER@/escaped', np.ones(1))"),
)
_add(
    "numpy loaders",
    STOLEN,
    load=_won("np.load('@FOLDER@/pickled', allow_pickle=True)"),
    fromfile=_won("assert len(np.fromfile('@FOLDER@/secret', 'u1'))"),
    loadtxt=_won("assert np.loadtxt('@FOLDER@/secret', str).size"),
    genfromtxt=_won("assert np.genfromtxt('@FOLDER@/secret', str).size"),
    fromregex=_won("assert len(np.fromregex('@FOLDER@/secret', 'a', [('a', 'U9')]))"),
    data_source=_won("assert np.lib.npyio.DataSource('@FOLDER@').open('@FOLDER@/secret').read()"),
    ctypeslib=_won("assert np.ctypeslib.ctypes.CDLL(None).getpid()"),
    module_of_numpy=_won("assert np.lib.format.os if 'os' in dir(np.lib.format) else np.linalg._linalg"),
    pickle="import pickle\n" + _won("assert pickle.loads(b'cos\\ngetpid\\n(tR.')"),
    random_state=_won("assert np.random.get_state()"),
)
_add(
    "memory",
    STOLEN,
    array_type_in_a_call="from readhead.language import Array\n"
    + _won("assert Array((1,), 'O', np.zeros(1, 'i8'))[0] is None"),
    array_type_of_numpy="from numpy.typing import NDArray\n"
    + _won("assert NDArray[np.float32]((1,), 'O', np.zeros(1, 'i8'))[0] is None"),
    array_type_by_map="import numpy.typing as t\n" + _won("assert [a for a in map(t.NDArray, [(3,)])]"),
    address_of_a_function="from readhead.language import Array\n"
    + _won("assert Array((1,), 'i8', np.array([head], 'O'))[0] > 4096"),
    ctypes_of_an_array=_won("assert s.first.ctypes.data"),
    array_interface=_won("assert s.first.__array_interface__['data']"),
    data=_won("assert s.first.data"),
    base=_won("assert np.ones(4).reshape(2, 2).base is not None"),
    view=_won("assert np.ones(1).view('i8')[0]"),
    strides_out_of_bounds=_won("assert len(np.lib.stride_tricks.as_strided(np.ones(1), (99,), (8,)))"),
    ndarray=_won("assert np.ndarray((3,), 'f8') is not None"),
    frombuffer=_won("assert len(np.frombuffer(b'12345678'))"),
    ctypes="import ctypes\n" + _won("assert ctypes.string_at(id(s), 8)"),
    id=_won("assert id(s) > 4096"),
    getfield=_won("assert np.ones(1).getfield('i4') is not None"),
    setstate=_won("x = np.ones(1)", "x.__setstate__((0, (1,), np.dtype('i8'), False, b'12345678'))"),
    overlapping_fields=_won(
        "x = np.zeros(1, {'names': ['a', 'b'], 'formats': ['O', 'i8'], 'offsets': [0, 0]})",
        "x['a'] = head",
        "assert x['b'][0]",
    ),
    union_type=_won("x = np.zeros(1, ('i8', {'a': ('O', 0)}))", "x['a'] = head", "assert x[0] > 4096"),
    objects_as_void=_won("x = np.array([head], 'O').astype('V8').astype('i8')", "assert x[0] > 4096"),
    subarray_of_objects=_won(
        "x = np.array([([head],)], [('a', 'O', 1)]).astype('V8')", "assert len(x.tolist()[0]) == 8"
    ),
    stale_memory_by_where=_won(
        "x = [np.full(500, 7.0) for _ in range(50)]",
        "del x",
        "nothing = np.zeros(500, bool)",
        "found = [np.add(np.zeros(500), 0, where=nothing, out=None) for _ in range(50)]",
        "assert any(np.any(x != 0) for x in found)",
    ),
    stale_memory_by_pad=_won(
        "x = [np.full(500, 7.0) for _ in range(50)]",
        "del x",
        "found = [np.pad(np.zeros(1), 249, mode='empty') for _ in range(50)]",
        "assert any(np.any(x != 0) for x in found)",
    ),
    stale_memory_by_empty=_won(
        "x = [np.full(500, 7.0) for _ in range(50)]", "del x", "assert any(np.any(np.empty(500)) for _ in range(50))"
    ),
)

# Syntax

_add(
    "syntax",
    STOLEN,
    decorator_of_a_function="@eval\n@lambda f: '1'\ndef x(s):\n    pass\n" + _won("assert x == 1"),
    decorator_of_a_class="@eval\n@lambda c: '1'\nclass x:\n    pass\n" + _won("assert x == 1"),
    class_pattern=_won("match head:", "    case object(__globals__=found):", "        assert found"),
    class_pattern_of_a_number=_won("match 1:", "    case int(__class__=found):", "        assert found.mro()"),
    mapping_pattern=_won("match {'a': 1}:", "    case {'a': 1, **rest}:", "        assert rest == {}"),
    exception_group=_won(
        "try:", "    raise ExceptionGroup('', [ValueError()])", "except* ValueError as e:", "    assert e.exceptions"
    ),
    walrus_over_the_guard=_won("(__name__ := '__main__')", "if __name__ == '__main__':", "    assert eval('1')"),
    guard_of_another_name="__name__ = '__main__'\nif __name__ == '__main__':\n    x = eval('1')\n" + _won("assert x"),
    guard_by_import="import math as __name__\n"
    + _won("if __name__ == '__main__':", "    pass", "else:", "    eval('1')"),
    guard_in_a_default="if '__main__' == __name__ or 1:\n    x = eval('1')\n" + _won("assert x"),
    else_of_the_guard="if __name__ == '__main__':\n    pass\nelse:\n    x = eval('1')\n" + _won("assert x"),
    annotation_that_runs="found = []\ndef f(x: found.append(eval('1'))):\n    pass\n" + _won("assert found"),
    annotation_of_an_item="x = {}\nx[0]: eval('x.update(a=1)') = 1\n" + _won("assert x['a']"),
    annotations_as_a_dict="x: int = 1\n" + _won("assert __annotations__"),
    default_argument="def f(x=eval('1')):\n    return x\n" + _won("assert f()"),
    lambda_argument=_won("f = lambda x=eval('1'): x", "assert f()"),
    store_in_an_attribute=_won("head.x = 1", "assert head.x"),
    loop_into_an_attribute=_won("for head.x in [1]:", "    pass"),
    star_import="from os import *\n" + _won("assert getpid()"),
    type_statement="type X = eval('1')\n" + _won("assert X.__value__"),
    type_parameter="def f[T: (eval('1'))](x: T):\n    return x\n" + _won("assert f.__type_params__"),
    template_string=_won("assert t'{s.__class__}'.interpolations"),
    bytes_constant=_won("assert b'a'.hex()"),
    with_statement=_won("with open('@FOLDER@/secret') as f:", "    assert f.read()"),
    errstate_of_its_own=_won(
        "def errstate():", "    return open('@FOLDER@/secret')", "with errstate() as f:", "    pass"
    ),
    future_import="from __future__ import barry_as_FLUFL\n" + _won("assert 1 <> 2"),
    name_by_dict_update=_won("dict.update(globals(), head=1)"),
)
_add(
    "async",
    STOLEN,
    coroutine=_won("async def c():", "    return 1", "try:", "    c().send(None)", "except StopIteration:", "    pass"),
    async_generator=_won("async def c():", "    yield 1", "c().asend(None).close()"),
    async_comprehension=_won("async def c():", "    return [x async for x in c()]", "assert c"),
    event_loop="import asyncio\n" + _won("assert asyncio.new_event_loop().close() is None"),
)
_add(
    "dunder methods",
    STOLEN,
    class_with_methods="class A:\n    def __len__(self):\n        return 1\n" + _won("assert len(A())"),
    metaclass="class M(type):\n    pass\n" + _won("assert M('A', (), {})"),
    array_method="class A:\n    def __array__(self, *a, **k):\n        return np.ones(1)\n"
    + _won("assert np.array(A())"),
    ufunc_method="class A:\n    def __array_ufunc__(self, *a, **k):\n        return 1\n"
    + _won("assert np.add(A(), 1)"),
    subclass_of_float="class A(float):\n    def __eq__(self, o):\n        return True\n" + _won("assert A(1) == 2"),
    exception_class="class E(Exception):\n    def __str__(self):\n        return ''\n" + _won("assert not str(E())"),
    subclass_hook="class A:\n    def __init_subclass__(cls):\n        pass\n" + _won("assert A"),
    data_class="from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1\n" + _won("assert A().x"),
)
_add(
    "dunder methods",
    SPOILS,
    finaliser="class A:\n    def __del__(self):\n        np.where = None\n"
    + body("a = A()", "a.me = a", "return s.first"),
    module_attributes="def __getattr__(name):\n    return 1\nnp.__getattr__ = __getattr__\nnp.where = 1\n" + HEAD,
    generator_that_will_not_close=body(
        "def g():",
        "    while True:",
        "        try:",
        "            yield me",
        "        except:",
        "            while True: pass",
        "me = g()",
        "next(me)",
        "return s.first",
    ),
)

# Too much

_add(
    "time",
    TIME,
    endless_loop=body("while True: pass"),
    loop_that_swallows_errors=body(
        "while True:", "    try:", "        while True: pass", "    except:", "        pass"
    ),
    endless_loop_outside_head="while True: pass\n" + HEAD,
    big_power=body("return 10 ** 10 ** 8"),
    big_integer_of_text=body("return int('9' * 4000) ** 90000"),
    regular_expression=body("return bool(re.match('(a+)+$', 'a' * 60 + 'b'))"),
    regular_expression_of_alternatives=body("return bool(re.match('(a|aa)+$', 'a' * 99 + 'b'))"),
    regular_expression_to_compile=body("return bool(re.compile('(' * 80 + 'a{1,99}' + '){1,99}' * 80))"),
    big_sum=body("return sum(range(10 ** 12))"),
    factorial=body("return math.factorial(10 ** 7) % 7"),
    combinations=body("return math.comb(10 ** 7, 5 * 10 ** 6) % 7"),
    endless_iterator="import itertools\n" + body("return sum(itertools.count())"),
    endless_call=body("return sum(iter(int, 1))"),
    longest_of_nothing=body("return max(0 for _ in iter(int, 1))"),
    clashing_hashes=body("return len({k * (2 ** 61 - 1) for k in range(10 ** 6)})"),
    singular_values=body("x = np.ones((2000, 2000))", "for _ in range(99):", "    np.linalg.svd(x)", "return 1"),
    print_flood=body("while True:", "    print('flood' * 1000)"),
    big_text_search=body(
        "return ('a' * 10 ** 6 + 'b') * 9 in 'a' * 10 ** 7 + ('a' * 10 ** 6 + 'c') * 9 or sum(range(10 ** 11))"
    ),
    representation_of_shared_lists=body("x = []", "for _ in range(60):", "    x = [x, x]", "return len(str(x))"),
    comparison_of_shared_lists=body(
        "x, y = [], []", "for _ in range(60):", "    x, y = [x, x], [y, y]", "return x == y"
    ),
    error_that_takes_long=body("x = []", "for _ in range(60):", "    x = [x, x]", "raise ValueError(x)"),
    vectorised_loop=body("return np.vectorize(lambda x: sum(range(10 ** 7)))(np.ones(10 ** 6))"),
    sorting_with_a_slow_key=body("return sorted(range(10 ** 9), key=lambda x: -x)[0]"),
)
_add(
    "memory bombs",
    MEMORY,
    long_text=body("return 'a' * 10 ** 10"),
    big_array=body("return np.zeros(10 ** 12)"),
    big_ones=body("return np.ones(10 ** 8)"),
    identity=body("return np.eye(20000)"),
    doubling_list=body("x = [1]", "while True:", "    x += x"),
    doubling_text=body("x = 'a'", "while True:", "    x += x"),
    many_arrays=body("x = []", "while True:", "    x.append(np.ones(10 ** 6))"),
    many_small_things=body("x = []", "while True:", "    x = [x, 1.5]"),
    dict_of_numbers=body("return len({k: str(k) for k in range(10 ** 9)})"),
    product="import itertools\n" + body("return len(list(itertools.product(range(10 ** 3), repeat=9)))"),
    tee="import itertools\n" + body("a, b = itertools.tee(itertools.count())", "return sum(a)"),
    width_of_a_number=body("return len('%*d' % (2 * 10 ** 9, 1))"),
    width_in_an_f_string=body("return len(f'{1:>{10 ** 10}}')"),
    zeros_in_front=body("return len('a'.zfill(10 ** 10))"),
    tabulators=body("return len('\\t'.expandtabs(2 ** 31 - 1))"),
    cache="import functools\n@functools.cache\ndef f(x):\n    return [x] * 1000\n"
    + body("k = 0", "while True:", "    k += 1", "    f(k)"),
    outer_product=body("x = np.ones(10 ** 5)", "return np.multiply.outer(x, x)"),
    big_result=body("return np.ones((s.n, s.n, 10 ** 7))"),
    big_result_of_lists=body("return [[[1.0] * 10 ** 4] * 10 ** 4] * 10 ** 3"),
    long_message=body("raise ValueError('a' * 10 ** 9)"),
    constant_outside_head="x = [0] * 10 ** 10\n" + HEAD,
)
_add(
    "crashes",
    CRASH,
    nested_maps=body("m = [1]", "for i in range(300000):", "    m = map(abs, m)", "return list(m)"),
    nested_chains="import itertools\n"
    + body("m = [1]", "for i in range(300000):", "    m = itertools.chain(m)", "return sum(m)"),
    nested_tuples_hashed=body("t = ()", "for i in range(10 ** 6):", "    t = (t,)", "return {t: 1}[t]"),
    nested_lists_compared=body("a, b = [], []", "for i in range(10 ** 5):", "    a, b = [a], [b]", "return a == b"),
    recursion="def f(n):\n    return f(n + 1)\n" + body("return f(0)"),
    recursion_in_a_key=body("def f(x):", "    return sorted([x], key=f)", "return f(1)"),
    recursion_in_a_cache="import functools\n@functools.cache\ndef f(n):\n    return f(n + 1)\n" + body("return f(0)"),
    recursion_in_a_substitution=body("def f(m):", "    return re.sub('a', f, 'a')", "return f(1)"),
    recursion_in_vectorize=body("f = np.vectorize(lambda x: f(x))", "return f(np.ones(1))"),
    list_that_holds_itself=body("x = []", "x.append(x)", "return x"),
    dict_that_holds_itself=body("x = {}", "x[0] = x", "raise ValueError(x)"),
    nested_list_as_a_result=body("x = 1.0", "for _ in range(10 ** 5):", "    x = [x]", "return x"),
    nested_instance_check=body("t = int", "for _ in range(10 ** 5):", "    t = (t,)", "return isinstance('a', t)"),
    exit=body("import os", "os._exit(0)"),
    abort="import os\n" + body("os.abort()"),
    null_pointer="import ctypes\n" + body("return ctypes.string_at(0)"),
    system_exit=body("raise SystemExit"),
    keyboard_interrupt=body("raise KeyboardInterrupt"),
    generator_exit=body("raise GeneratorExit"),
    recursion_limit="import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(n):\n    return f(n + 1)\n"
    + body("return f(0)"),
    endless_sequence_as_a_result=body("return (np.r_,)"),
    forged_object="from readhead.language import Array\n" + body("return str(Array((1,), 'O', np.array([4096]))[0])"),
)

# The machine

_add(
    "files",
    WRITES,
    open=_won("open('@FOLDER@/escaped', 'w').close()"),
    walk_to_open=_with_os(_TOUCH),
    limit_raised_first="import resource\n" + _with_os("resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))", _TOUCH),
    unlink=_with_os("os['unlink']('@FOLDER@/secret')"),
    rename=_with_os("os['rename']('@FOLDER@/secret', '@FOLDER@/escaped')"),
    make_a_folder=_with_os("os['mkdir']('@FOLDER@/escaped')"),
    truncate=_with_os("os['truncate']('@FOLDER@/secret', 1)"),
    pathlib="from pathlib import Path\n" + _won("Path('@FOLDER@/escaped').touch()"),
    tempfile="import tempfile\n" + _won("tempfile.mkdtemp(dir='@FOLDER@')"),
    sqlite="import sqlite3\n" + _won("sqlite3.connect('@FOLDER@/escaped').execute('create table a (b)')"),
)
_add(
    "files",
    STOLEN,
    read=_won("assert open('@FOLDER@/secret').read()"),
    list=_with_os("assert os['listdir']('@FOLDER@')"),
    status=_with_os("assert os['stat']('@FOLDER@/secret')"),
    inherited_descriptors=_with_os("assert [d for d in range(5, 64) if os['fstat'](d)]"),
    memory_file=_with_os("assert os['memfd_create']('x')"),
    pipe=_with_os("assert os['pipe']()"),
    proc=_with_os("assert os['open']('/proc/self/maps', 0)"),
    change_folder=_with_os("os['chdir']('/')"),
    socket="import _socket\n" + _won("_socket.socket().close()"),
    socket_pair="import socket\n" + _won("socket.socketpair()[0].close()"),
)
_add(
    "processes",
    STOLEN,
    fork=_with_os("child = os['fork']()", "if child == 0:", "    os['_exit'](0)", "os['waitpid'](child, 0)"),
    spawn=_with_os("os['waitpid'](os['posix_spawn']('/bin/true', ['true'], {}), 0)"),
    subprocess="import subprocess\n" + _won("assert subprocess.run(['/bin/true']).returncode == 0"),
    system=_with_os("assert os['system']('exit 0') == 0"),
    thread="import _thread\n" + _won("_thread.start_new_thread(len, ('a',))"),
    threading="import threading\n" + _won("t = threading.Thread(target=len, args=('a',))", "t.start()", "t.join()"),
    executor="from concurrent.futures import ThreadPoolExecutor\n"
    + _won("with ThreadPoolExecutor() as e:", "    assert e.submit(len, 'a').result() == 1"),
    signal_to_the_parent=_with_os("os['kill'](os['getppid'](), 0)"),
    priority=_with_os("os['setpriority'](0, 0, 19)"),
    raise_a_limit="import resource\n" + _won("resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))"),
    sleep="import time\n" + _won("time.sleep(0.001)"),
    executable_memory="import mmap\n" + _won("mmap.mmap(-1, 4096, prot=7).close()"),
    trace_a_process="import ctypes\n" + _won("assert ctypes.CDLL(None).ptrace(16, @BYSTANDER@, 0, 0) == 0"),
    new_user="import ctypes\n" + _won("assert ctypes.CDLL(None).unshare(0x20000000) == 0"),
)
_add(
    "processes",
    ENDS,
    kill=_with_os("os['kill'](@BYSTANDER@, 9)"),
    kill_by_a_module="import os\n" + _won("os.kill(@BYSTANDER@, 9)"),
)
_add(
    "processes",
    TIME,
    ignored_signals="import signal\n"
    + body("for k in (10, 14, 15):", "    signal.signal(k, signal.SIG_IGN)", "while True: pass"),
    stop="import os\n" + body("os.kill(os.getpid(), 19)", "return 1"),
    alarm="import signal\n"
    + body("signal.signal(14, lambda *_: None)", "signal.setitimer(0, 0.01, 0.01)", "while True: pass"),
)

# The next program

_add(
    "patching",
    SPOILS,
    numpy_function=body("np.where = lambda *a: np.ones(1)", "return s.first"),
    numpy_module="import numpy\nnumpy.where = numpy.exp = None\n" + HEAD,
    globals_of_softmax=body("softmax.__globals__['np'] = None", "return s.first"),
    code_of_softmax=body("softmax.__code__ = head.__code__", "return s.first"),
    builtins="import builtins\nbuiltins.len = lambda x: 3\n" + HEAD,
    builtins_by_name="__builtins__['len' if 1 else ''] = None\n" + HEAD,
    builtins_by_globals=body("globals()['__builtins__']['len'] = 1", "return s.first"),
    vocabulary_cache=body("s._features['is_comma'] = np.ones(s.n)", "return s.first"),
    sentence=body("s.__class__.n = 3", "return s.first"),
    class_of_the_sentence="from readhead.language import Sentence\nSentence.previous = None\n" + HEAD,
    number_of_tokens=body("s.n = 3", "return s.first"),
    deleted_attribute=body("del s._features", "return s.first"),
    error_state=body("np.seterr(all='raise')", "return s.first"),
    error_state_of_a_generator="def g():\n    with np.errstate(all='raise'):\n        yield\n        yield\n"
    "kept = g()\nnext(kept)\ntypes = __import__\n".replace("types = __import__\n", "")
    + body("return s.first"),
    error_state_kept_in_head=body(
        "def g():",
        "    with np.errstate(all='raise'):",
        "        while True:",
        "            yield me",
        "me = g()",
        "next(me)",
        "return s.first",
    ),
    print_options=body("np.set_printoptions(precision=1)", "np.where = 1", "return s.first"),
    warnings="import warnings\nwarnings.simplefilter('error')\nnp.seterr(all='warn')\n" + HEAD,
    recursion_limit="import sys\nsys.setrecursionlimit(60)\n" + HEAD,
    module_table="import sys\nsys.modules['math'] = sys.modules['re'] = sys\n" + HEAD,
    random_seed="import random, sys\nrandom.seed(1)\nsys.modules['collections'] = sys\n" + HEAD,
    standard_library="import collections\ncollections.Counter = dict\n" + HEAD,
    method_of_a_stand_in="import collections.abc\ncollections.abc.Sized.register(int)\n" + HEAD,
)
_FEATURE = "s.distance"
_add(
    "writing into features",
    SPOILS,
    item=body("s.distance[:] = 0", "return 1"),
    item_of_a_view=body("x = s.distance.T.reshape(-1)[::-1]", "x[:] = 0", "s.distance.T[:] = 0", "return 1"),
    flags=body("s.distance.setflags(write=True)", "s.distance[:] = 0", "return 1"),
    flags_by_attribute=body("s.distance.flags.writeable = True", "s.distance[:] = 0", "return 1"),
    in_place=body("x = s.distance", "x *= 0", "return 1"),
    out=body("np.multiply(s.distance, 0, out=s.distance)", "return 1"),
    out_of_clip=body("s.distance.clip(0, 0, out=s.distance)", "return 1"),
    out_of_take=body("np.take(np.zeros(99), s.distance.astype(int) * 0, out=s.distance, mode='clip')", "return 1"),
    out_of_einsum=body("np.einsum('ij->ji', s.distance * 0, out=s.distance)", "return 1"),
    out_of_choose=body("np.choose(s.distance.astype(int) * 0, [0 * s.distance], out=s.distance)", "return 1"),
    out_of_cumsum=body("np.cumsum(s.distance * 0, axis=0, out=s.distance)", "return 1"),
    out_of_matmul=body("np.matmul(0 * s.distance, s.distance, out=s.distance)", "return 1"),
    out_of_dot=body("(0 * s.distance).dot(s.distance, out=s.distance)", "return 1"),
    out_of_concatenate=body("np.concatenate([0 * s.distance], out=s.distance)", "return 1"),
    out_of_compress=body("np.compress([True] * s.n, 0 * s.distance, axis=0, out=s.distance)", "return 1"),
    out_of_a_reduction=body("np.add.reduce(0 * s.distance[None], axis=0, out=s.distance)", "return 1"),
    out_of_round=body("np.round(0 * s.distance, out=s.distance)", "return 1"),
    sort=body("s.distance.sort(axis=0)", "return 1"),
    partition=body("s.distance.partition(0, axis=0)", "return 1"),
    fill=body("s.distance.fill(0)", "return 1"),
    flat=body("s.distance.flat[:] = 0", "return 1"),
    fill_diagonal=body("np.fill_diagonal(s.distance, 7)", "return 1"),
    copyto=body("np.copyto(s.distance, 0)", "return 1"),
    put=body("np.put(s.distance, [0, 1], 7)", "return 1"),
    put_along_axis=body("np.put_along_axis(s.distance, s.distance.astype(int) * 0, 7, axis=0)", "return 1"),
    place=body("np.place(s.distance, s.distance >= 0, [7])", "return 1"),
    putmask=body("np.putmask(s.distance, s.distance >= 0, 7)", "return 1"),
    at=body("np.add.at(s.distance, (0, 0), 7)", "return 1"),
    nan_to_num=body("np.nan_to_num(s.distance, copy=False, nan=7)", "np.add(s.distance, 1, s.distance)", "return 1"),
    overwritten_median=body("np.median(s.distance, axis=0, overwrite_input=True)", "return 1"),
    broadcast=body("x, _ = np.broadcast_arrays(s.distance, 1)", "x[:] = 7", "return 1"),
    resized=body("s.distance.resize((1, 1), refcheck=False)", "return 1"),
    shape=body("s.distance.shape = (-1,)", "return 1"),
    type=body("s.distance.dtype = 'i4'", "return 1"),
    causal_mask=body("normalize(s.every)", "softmax(s.every).base[:] = 0", "return 1"),
    token_list=body("s.tokens[0] = 'x'", "return 1"),
    token_list_by_method=body("s.tokens.clear()", "return 1"),
)

# Source texts

_add(
    "source texts",
    STOLEN,
    homoglyph_attribute=_won("assert s.＿＿class＿＿"),  # noqa: RUF100
    homoglyph_letters=_won("assert head.__ｇｌｏｂａｌｓ__"),
    homoglyph_function=_won("assert ｅｖａｌ('1')"),
    homoglyph_module="import ｏｓ\n" + _won("assert os.getpid()"),
    superscript_name=_won("assert ᵉval('1')"),
    mathematical_name=_won("assert 𝐞𝐯𝐚𝐥('1')"),
    homoglyph_keyword_argument="def f(ｅval):\n    return eval\n" + _won("assert eval('1')"),
    coding_cookie="# coding: utf-7\n" + _won("assert +AG8AcABlAG4-('@FOLDER@/secret').read()"),
    coding_of_another_alphabet="# -*- coding: rot13 -*-\n" + _won("assert riny('1')"),
    coding_latin="# coding: latin-1\n" + _won("assert eval('1')"),
    byte_order_mark="\ufeff" + _won("assert eval('1')"),
    null_byte=_won("x = 1 #\0", "assert eval('1')"),
    null_byte_at_the_end=_won("assert eval('1')") + "\0",
    lone_surrogate=_won("x = '\ud800'", "assert eval('1')"),
    reversed_text=_won("x = 1 # \u202e\u2066 return s.first", "assert eval('1')"),
    form_feed_and_line_separators="x = 1 #\x0c\u2028\x85import os\n" + _won("assert eval('1')"),
    carriage_returns="# a\rimport os\r" + _won("assert os.getpid()").replace("\n", "\r"),
    continued_lines="import \\\n  os\n" + _won("assert os . \\\n getpid()"),
    semicolons="x = 1; import os; y = os.getpid()\n" + _won("assert y"),
    null_escape=_won("assert eval('1\\0') if 0 else eval('1')"),
    tab_and_space_mix="def head(s):\n\tif 1:\n        return eval('666.0')\n",
)
_DEEP = 10_000
_add(
    "source texts",
    TIME,
    ten_megabytes_of_comment=HEAD + "#" * 10_000_000,
    ten_megabytes_of_code=HEAD + "x = 1\n" * 1_700_000,
    ten_thousand_brackets=HEAD + "x = " + "(" * _DEEP + ")" * _DEEP,
    ten_thousand_open_brackets=HEAD + "x = " + "[" * _DEEP,
    ten_thousand_braces=HEAD + "{" * _DEEP,
    brackets_of_all_kinds=HEAD + "([{" * 60,
    ten_thousand_signs=HEAD + "x = " + "-" * _DEEP + "1",
    long_sum=HEAD + "x = 1" + " + 1" * 12_000,
    long_sum_in_an_annotation=HEAD + "x: 1" + " + 1" * 12_000,
    nested_functions=HEAD + "".join(" " * k + f"def f{k}():\n" for k in range(99)) + " " * 99 + "pass\n",
    nested_lambdas=HEAD + "x = " + "lambda: " * 5000 + "1",
    nested_finally=HEAD
    + "".join(" " * k + "try:\n" + " " * k + " pass\n" + " " * k + "finally:\n" for k in range(60))
    + " " * 60
    + "pass\n",
    nested_f_strings=HEAD + "x = " + "f'{" * 100 + "1" + "}'" * 100,
    nested_comprehensions=HEAD + "x = " + "[a for a in " * 90 + "[1]" + "]" * 90,
    chained_attributes=HEAD + "x = s" + ".T" * 30_000,
    chained_calls=HEAD + "x = head" + "()" * 30_000,
    chained_assignments=HEAD + "x = " * 15_000 + "1",
    long_elif=HEAD + "if 0: pass\n" + "elif 0: pass\n" * 4_500,
    many_parts=HEAD + "x = [" + "1," * 30_000 + "]",
    long_integer=HEAD + "x = " + "9" * 60_000,
    long_hexadecimal_integer=HEAD + "x = 0x" + "f" * 60_000,
    long_name=HEAD + "x" * 60_000 + " = 1",
    long_name_to_normalise=HEAD + "ﷺ" * 10_000 + " = 1",
    many_unknown_names=HEAD + "".join(f"unknown_{k}; s.nope_{k}\n" for k in range(2_500)),
    names_that_are_nearly_known=HEAD
    + "".join(f"{'abcdefghij' * 5}{k} = 1\n" for k in range(1_000))
    + "".join(f"{'abcdefghij' * 5}x{k}\n" for k in range(30)),
    patterns_of_alternatives=HEAD + "match 1:\n case " + " | ".join(str(k) for k in range(9_000)) + ": pass\n",
    folded_constants=HEAD + "x = " + "('a' * 4000 + 'b' * 4000) * 2, " * 1_500,
)
