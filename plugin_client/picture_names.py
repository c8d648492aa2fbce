"""Whether text that is given as an item means a picture file or is a prompt. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

# Of every format that people keep pictures in, whether it can be read or not: taken for a prompt, the name of a file
# would be a silent surprise. What is not read is refused by name.
_READ = """
png apng jpg jpeg jpe jfif jif jfi mpo webp avif avifs gif tif tiff bmp dib ico jp2 j2k j2c jpc jpf jpx jpm ppm pgm pbm
pnm pfm tga icb vda vst
"""
_OTHERS = """
heic heics heif heifs hif avci avcs jxl jxr wdp hdp bpg flif jls qoi pam
psd psb xcf kra ora clip sai afphoto pdn procreate cpt pspimage
svg svgz eps epsf ps pdf cdr emf wmf djvu djv
exr hdr rgbe dds pcx dcx cur icns sgi bw rgb rgba ras xbm xpm xwd pict pct pcd msp dpx cin fits fit fts blp dcm
3fr arq arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mdc mef mos mrw nef nrw orf pef ptx raf raw rw2 rwl sr2 srf srw
x3f
"""
PICTURE_SUFFIXES = tuple(f".{suffix}" for suffix in (*_READ.split(), *_OTHERS.split()))


_ADDRESS = re.compile(r"(https?|ftps?|sftp|file|smb|s3|gs)://\S+|data:image/\S+", re.IGNORECASE)


def names_a_picture(text: str) -> bool:
    """Whether `text` ends like the name of a picture file, names a file of any other kind, or is an address.

    White space around a name is that of a list of files of which lines were read.
    """
    return text.strip().lower().endswith(PICTURE_SUFFIXES) or is_address(text) or names_a_file(text)


def is_address(text: str) -> bool:
    """Whether `text` is the address of something in a network, or of a file as browsers write it."""
    return bool(_ADDRESS.fullmatch(text))


def names_a_file(text: str) -> bool:
    """Whether there is such a file. What can be no name, such as a prompt of 4000 characters, names none."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
