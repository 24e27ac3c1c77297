#include "client/cli/transfer_bar.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/progress_bar.h"
#include "client/cli/text_format.h"

namespace modelpatch::client {

TransferBar::TransferBar(Session& session, std::string what)
    : session_(session), what_(std::move(what)), shown_(session.error_is_terminal()) {}

TransferBar::~TransferBar() {
  if (!text_.empty()) session_.error() << std::endl;
}

TransferProgress TransferBar::Progress() {
  return [this](int64_t done, int64_t total) {
    if (!shown_) return;
    std::string text =
        absl::StrCat(what_, " ", BarText(done, total, LocaleIsUtf8()), "  ", Bytes(done), " of ", Bytes(total));
    if (text == text_) return;
    text_ = std::move(text);
    // Back to the start of the line, and clear it.
    session_.error() << "\r\033[K" << text_ << std::flush;
  };
}

}  // namespace modelpatch::client
