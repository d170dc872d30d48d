#!/usr/bin/env python3
"""Makes the font of the charts: UnrollSans-Regular.ttf with signs of mathematics, and UnrollSansJP-Regular.ttf.br.

    /usr/bin/python3 src/Unroll.Plots/Fonts/make-fonts.py

Needs Debian's python3-fonttools, python3-brotli, fonts-mplus and fonts-noto-cjk. The Latin, Greek and arrows stay as they
are in UnrollSans-Regular.ttf (Inter). The second file has them too, and the kana, the punctuation and the kanji of JIS level 1.
"""
import os

import brotli
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem

FOLDER = os.path.dirname(os.path.abspath(__file__))
LATIN = os.path.join(FOLDER, "UnrollSans-Regular.ttf")
JAPANESE = os.path.join(FOLDER, "UnrollSansJP-Regular.ttf.br")
MPLUS = TTFont("/usr/share/fonts/opentype/mplus/Mplus1-Regular.otf")
NOTO = TTFont("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", fontNumber=0)

MATHEMATICS = "‖∇∈∉∝∥∩∪≒≡≪≫⊂⊃⊕⊗⊙⇒⇔∀∃□△▽○◎●★☆■▲▼◆◇※"
FULL_WIDTH = "".join(map(chr, [*range(0x3000, 0x3020), *range(0x3041, 0x3100), *range(0xFF01, 0xFF5F)]))
# Kanji behind level 1 that a figure needs are added here.
MORE_KANJI = ""

# Of 500 units to the em: a tenth of a pixel in the largest picture, and half of the files' size is saved.
JAPANESE_UNITS = 500
# The greatest distance of the quadratic outline from the cubic one, in thousandths of the em.
TOLERANCE = 3


def level_1():
    """The 2,965 kanji of rows 16 to 47 of JIS X 0208."""
    for row in range(16, 48):
        for cell in range(1, 95):
            try:
                yield bytes([0xA0 + row, 0xA0 + cell]).decode("euc_jp")
            except UnicodeDecodeError:
                pass


def add(font, characters, sources):
    """Adds the characters that the font lacks, each from the first source that has it; returns those that none has."""
    units = font["head"].unitsPerEm
    present = font.getBestCmap()
    order = list(font.getGlyphOrder())
    new, missing = {}, ""
    for code in sorted(set(map(ord, characters)) - set(present)):
        source = next((s for s in sources if code in s.getBestCmap()), None)
        if source is None:
            missing += chr(code)
            continue
        name = f"u{code:04X}"
        glyph = source.getGlyphSet()[source.getBestCmap()[code]]
        scale = units / source["head"].unitsPerEm
        pen = TTGlyphPen(None)
        glyph.draw(TransformPen(Cu2QuPen(pen, TOLERANCE * units / 1000, reverse_direction=True), (scale, 0, 0, scale, 0, 0)))
        insert(font, name, pen.glyph(), round(glyph.width * scale))
        order.append(name)
        new[code] = name
    finish(font, order, new)
    return missing


def add_double_bar(font):
    """Adds ‖ as two bars, which stand as close as in print; those of Japanese fonts are an em wide."""
    if ord("‖") in font.getBestCmap():
        return
    bar = font.getBestCmap()[ord("|")]
    width = font["hmtx"].metrics[bar][0]
    step = round(width * 0.55)
    pen = TTGlyphPen(font.getGlyphSet())
    for offset in (0, step):
        font.getGlyphSet()[bar].draw(TransformPen(pen, (1, 0, 0, 1, offset, 0)))
    insert(font, "u2016", pen.glyph(), width + step)
    finish(font, [*font.getGlyphOrder(), "u2016"], {0x2016: "u2016"})


def insert(font, name, glyph, width):
    font["glyf"].glyphs[name] = glyph
    if glyph.numberOfContours:
        glyph.recalcBounds(font["glyf"])
    font["hmtx"].metrics[name] = (width, getattr(glyph, "xMin", 0))


def finish(font, order, names):
    font.setGlyphOrder(order)
    font["glyf"].glyphOrder = order
    for table in font["cmap"].tables:
        table.cmap.update(names)
    font["post"].formatType = 3.0


def main():
    latin = TTFont(LATIN, recalcTimestamp=False)
    add_double_bar(latin)
    add(latin, MATHEMATICS, [NOTO])
    latin.save(LATIN)

    japanese = TTFont(LATIN, recalcTimestamp=False)
    missing = add(japanese, "".join(level_1()) + FULL_WIDTH + MORE_KANJI, [MPLUS, NOTO])
    scale_upem(japanese, JAPANESE_UNITS)
    whole = JAPANESE[: -len(".br")]
    japanese.save(whole)
    with open(whole, "rb") as file:
        data = file.read()
    os.remove(whole)
    with open(JAPANESE, "wb") as file:
        file.write(brotli.compress(data))
    print(f"{len(japanese.getGlyphOrder())} glyphs, {len(data)} bytes, {os.path.getsize(JAPANESE)} compressed; in no font: {missing or 'none'}")


if __name__ == "__main__":
    main()
