"""How spaCy numbers strings: by a hash, but for some five hundred symbols that it counts.

A number in a file stands for a string that the file lists too. Hashes are MurmurHash2 in its
64-bit form (Appleby, 2008) over UTF-8, with the seed 1. Symbols are numbered in spaCy 3; they
matter because ordinary words ("mark", "number") and usual entity types are among them.
"""

from collections.abc import Iterable

MASK = (1 << 64) - 1
FACTOR = 0xC6A4A7935BD1E995
SEED = 1
SYMBOLS = {
    1: "IS_ALPHA IS_ASCII IS_DIGIT IS_LOWER IS_PUNCT IS_SPACE IS_TITLE IS_UPPER LIKE_URL LIKE_NUM",
    64: "ID ORTH LOWER NORM SHAPE PREFIX SUFFIX LENGTH CLUSTER LEMMA POS TAG DEP ENT_IOB ENT_TYPE "
    "HEAD SENT_START SPACY PROB LANG ADJ ADP ADV AUX CONJ CCONJ DET INTJ NOUN NUM PART PRON PROPN "
    "PUNCT SCONJ SYM VERB X EOL SPACE",
    380: "PERSON NORP FACILITY ORG GPE LOC PRODUCT EVENT WORK_OF_ART LANGUAGE LAW DATE TIME "
    "PERCENT MONEY QUANTITY ORDINAL CARDINAL acomp advcl advmod agent amod appos attr aux "
    "auxpass cc ccomp complm conj cop csubj csubjpass dep det dobj expl hmod hyph infmod "
    "intj iobj mark meta neg nmod nn npadvmod nsubj nsubjpass num number oprd obj obl "
    "parataxis partmod pcomp pobj poss possessive preconj prep prt punct quantmod relcl "
    "rcmod root xcomp acl ENT_KB_ID MORPH ENT_ID IDX _",
}
"""First number of a run -> the symbols that follow each other from there."""
NUMBERED = {
    name: number
    for first, names in SYMBOLS.items()
    for number, name in enumerate(names.split(), start=first)
}


def by_number(strings: Iterable[str]) -> dict[int, str]:
    """The number of each string -> the string; 0 is the empty one."""
    return {0: ""} | {NUMBERED.get(each) or string_hash(each): each for each in strings if each}


def string_hash(string: str) -> int:
    """The hash of a string that is no symbol."""
    content = string.encode()
    value = SEED ^ (len(content) * FACTOR & MASK)
    whole = len(content) - len(content) % 8
    for start in range(0, whole, 8):
        block = int.from_bytes(content[start : start + 8], "little") * FACTOR & MASK
        value = (value ^ _folded(block) * FACTOR & MASK) * FACTOR & MASK
    if whole < len(content):
        value = (value ^ int.from_bytes(content[whole:], "little")) * FACTOR & MASK
    return _folded(_folded(value) * FACTOR & MASK)


def _folded(value: int) -> int:
    return value ^ value >> 47
