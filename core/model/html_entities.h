// HTML character references, resolved as Python's html.unescape (and the HTML5 standard) does. Thread safety: pure.
#pragma once

#include <string>
#include <string_view>

namespace modelpatch::model {

// `text` (valid UTF-8) with named (`&eacute;`; some also without the semicolon, by longest prefix: `&notit` is `¬it`),
// decimal and hexadecimal references replaced, once. Numeric references to C1 controls mean Windows-1252, to surrogates
// and beyond U+10FFFF U+FFFD, to other control and non-characters nothing. The result is valid UTF-8.
std::string UnescapeHtml(std::string_view text);

}  // namespace modelpatch::model
