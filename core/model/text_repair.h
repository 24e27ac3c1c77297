// The repair of text that went through a web page, a typesetter or a terminal, as the library ftfy does it.
// Thread safety: a pure function.
#pragma once

#include <string>

#include "core/base/status.h"

namespace modelpatch::model {

// `text` (valid UTF-8) as ftfy.fix_text of ftfy 6.3 gives it by default, but for what cannot matter to a tokenizer that
// collapses white space, its line breaks, and for two things: mojibake (text decoded in the wrong encoding) stays as it
// is, and 16 passes are the most. A line at a time, until nothing changes:
//   1. references of HTML (UnescapeCompleteHtml), unless this line or one before has a `<`;
//   2. C1 controls become what their byte is in Windows-1252;
//   3. ligatures and digraphs of Latin letters become their letters (ﬁ, ĳ, ŉ, ǆ and the like; not æ and œ);
//   4. full-width and half-width forms become the usual ones (NFKC), the ideographic space a space;
//   5. curly quotes become straight;
//   6. terminal escapes (ESC [ … letter) and control characters that no text needs are removed;
//   7. Unicode NFC.
// Source: ftfy/fixes.py, ftfy/chardata.py. INTERNAL: UNICODE_LIBRARY.
absl::StatusOr<std::string> RepairText(std::string text);

}  // namespace modelpatch::model
