// HTML character references. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace modelpatch::model {

// As Python's html.unescape and the HTML5 standard: `text` (valid UTF-8) with named (`&eacute;`; some also without the
// semicolon, by longest prefix: `&notit` is `¬it`), decimal and hexadecimal references replaced, once. Numeric
// references to C1 controls mean Windows-1252, to surrogates and beyond U+10FFFF U+FFFD, to other control and
// non-characters nothing. The result is valid UTF-8.
std::string UnescapeHtml(std::string_view text);

// As ftfy.fixes.unescape_html, which leaves alone what may be meant as it stands: only references that end with a
// semicolon and have at most 24 characters, and none to the semicolon itself; but the name of a small letter in
// capitals means its capital, where it means nothing else (`&EACUTE;` is É).
std::string UnescapeCompleteHtml(std::string_view text);

}  // namespace modelpatch::model
