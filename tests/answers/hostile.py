"""A table of hostile answers: what breaks parsers, hangs computer algebra or fills memory."""

from __future__ import annotations

from itertools import product


def hostile_answers() -> list[str]:
    """Return at least 200 different hostile texts."""
    texts = [
        "9^{9^{9^{9^{9}}}}", "9**9**9**9", "2^{2^{2^{2^{2^{2}}}}}", "(10^{9})!", "((((9!)!)!)!)!",
        "100000000!",
        "10^{10^{10}}", "(1+x)^{10^{8}}", "(a+b+c+d+e)^{5000}", "\\sum_{k=1}^{10^{12}} k^{k}",
        "\\prod_{k=1}^{10^9} k",
        "\\int_0^1 x^{x^{x^{x}}} dx", "\\int e^{x^{2}} \\sin(x^{x}) dx",
        "\\lim_{x\\to 0} \\frac{\\sin x^{x^x}}{x}",
        "\\sin(\\sin(\\sin(\\cos(\\tan(x^{x^{x}})))))", "\\sqrt{\\sqrt{\\sqrt{2}+\\sqrt{3}}+\\sqrt{5}}",
        "1/0", "0/0",
        "\\frac{1}{0}", "\\frac{0}{0}", "0^{0}", "0^{-1}", "\\infty-\\infty", "\\log(0)",
        "\\tan(\\frac{\\pi}{2})",
        "nan", "inf", "-inf", "NaN", "None", "null", "undefined", "1e999999", "1e-999999", "-0", "--5",
        "+-+-5", "1..2",
        "1.2.3.4", "1,2,3,4,5,6,7,8,9", ",,,,", "....", ";;;;", "::::", "((((", "))))", "{{{{", "}}}}",
        "[[[[", "]]]]",
        "$$$$", "$", "\\", "\\\\", "\\\\\\\\", "\\(", "\\)", "\\[", "\\]", "\\boxed", "\\boxed{",
        "\\boxed{}", "\\frac",
        "\\frac{", "\\frac{1}", "\\frac{}{}", "\\sqrt", "\\sqrt{", "\\sqrt[", "\\sqrt[]{}", "\\left(",
        "\\right)",
        "\\begin{matrix}", "\\end{matrix}", "\\begin{pmatrix} 1 & 2 \\\\ 3", "\\text{",
        "\\text{\\text{\\text{", "^", "_",
        "^^^^", "____", "x^^2", "x__2", "x_{", "x^{", "1+", "+1+", "*", "/", "//", "=", "==", "=====",
        "x==5", "<", "><",
        "<=>", "\\le", "\\in", "\\cup", "[0,1)\\cup", "(-\\infty", "\\{1,2", "1,2\\}", "%", "%%%",
        "%s%s%s%n", "{0}{1}",
        "__import__('os').system('echo hacked')", "__import__(\"os\")._exit(0)", "eval('2**999999999')",
        "exec('1')",
        "open('/etc/passwd').read()", "(lambda f: f(f))(lambda f: f(f))",
        "().__class__.__bases__[0].__subclasses__()",
        "os.kill(os.getpid(), 9)", "import sys; sys.exit(1)", "[x for x in range(10**12)]", "'a'*10**12",
        "globals()",
        "\\input{/etc/passwd}", "\\def\\x{\\x\\x}\\x", "\\newcommand{\\a}{\\a\\a}\\a", "\\catcode`\\%=12",
        "\\csname a",
        "<script>alert(1)</script>", "<think>" * 50, "</think>" * 50, "<|im_end|>" * 20,
        "'; DROP TABLE x; --",
        "\x00", "\x00\x01\x02\x03", "5\x005", "\x1b[31m5\x1b[0m", "\ufeff5", "\u202e51", "5\u200b5",
        "\u0660\u0661",
        "\u2460\u2461", "\uff15", "\u4e94", "\U0001d7d3", "\U0001f600" * 100, "\ud7ff", "e\u0301" * 500,
        "\r\n\r\n", "\t",
        " ", "\n", "", "\v\f", "A" * 5000, "z" * 5000, "9" * 5000, "0." + "3" * 5000, "-" * 5000,
        "+" * 5000, "!" * 5000,
        "1" + "0" * 4000, "1" + ",000" * 1000, "1 " * 5000, "1/" * 3000 + "1", "2^" * 2000 + "2",
        "(" * 3000 + "1" + ")" * 3000,
        "{" * 3000 + "1" + "}" * 3000, "[" * 2000 + "1,2" + "]" * 2000, "\\sqrt{" * 1000 + "2" + "}" * 1000,
        "\\frac{1}{" * 800 + "2" + "}" * 800, "\\boxed{" * 500 + "5" + "}" * 500,
        "\\left(" * 900 + "1" + "\\right)" * 900,
        "x+" * 20000 + "x", "1+" * 20000 + "1", "\\alpha\\beta" * 5000, "\\text{a}" * 6000, "$5$" * 8000,
        "(A)" * 9000,
        "answer is " * 5000, "Answer:" * 8000, "The answer is\n" * 4000, "therefore " * 6000, "= " * 9000,
        "is " * 9000,
        "a" * 50_000 + "!", "a " * 50_000, "a.b" * 30_000, "\\frac{1}{2}+" * 9000,
        "\\begin{pmatrix}1\\end{pmatrix}" * 500,
        "1,\n" * 9000, "1;2;" * 9000, "\\{" * 9000, "x_{1}" * 9000, "|" * 9000, "||x||" * 3000, "°" * 9000,
        "\\pm" * 4000,
        "1\\pm" * 60 + "1", "\\pm 1, " * 60, "one " * 9000, "hundred " * 9000, "half " * 3000,
        "\u5341" * 9000,
    ]  # fmt: skip
    letters, shapes = (
        "xyzab",
        ("({0}+1)^{{{1}}}", "\\sin({0}^{{{1}}})", "{0}^{{{0}^{{{1}}}}}", "\\sqrt[{1}]{{{0}!}}"),
    )
    texts += [shape.format(letter, power) for letter, shape, power in product(letters, shapes, ("99999", "1/99999"))]
    return list(dict.fromkeys(texts))
