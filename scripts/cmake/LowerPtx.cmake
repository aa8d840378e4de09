# SPDX-License-Identifier: Apache-2.0
# cmake -DIN=a.ptx -DOUT=b.ptx -P LowerPtx.cmake
# The same text for drivers that are older than the compiler: ours uses nothing that PTX 7.0 lacks.
file(READ ${IN} TEXT)
string(REGEX REPLACE "\n\\.version [0-9.]+" "\n.version 7.0" TEXT "${TEXT}")
file(WRITE ${OUT} "${TEXT}")
