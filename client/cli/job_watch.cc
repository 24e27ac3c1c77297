#include "client/cli/job_watch.h"

#include "client/cli/job_text.h"
#include "client/cli/progress_bar.h"
#include "client/cli/session.h"
#include "client/status_macros.h"

namespace modelpatch::client {

absl::StatusOr<v1::PatchJob> WatchJob(Session& session, const std::string& name) {
  absl::Status printed;
  ProgressBar bar(session.error(), session.error_is_terminal(), LocaleIsUtf8());
  CLIENT_RETURN_IF_ERROR(session.client().WatchPatchJob(name, 0, [&](const v1::PatchJobEvent& event) {
    if (session.json) {
      printed = session.PrintJson(event);
      return printed.ok();
    }
    if (event.has_progress()) {
      bar.Show(event.progress());
    } else if (const std::string text = EventText(event); !text.empty()) {
      bar.Break();
      session.error() << text << std::flush;
    }
    return true;
  }));
  bar.Break();
  CLIENT_RETURN_IF_ERROR(printed);
  return session.client().GetPatchJob(name);
}

}  // namespace modelpatch::client
