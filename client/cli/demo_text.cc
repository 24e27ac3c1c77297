#include "client/cli/demo_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/demo_server.h"
#include "client/cli/text_format.h"

namespace modelpatch::client {

std::string VerdictText(const DemoFigures& figures, double epsilon_points) {
  const double gain = figures.patching.patched().accuracy() - figures.patching.zero_shot().accuracy();
  const double cost = figures.supported.patched().accuracy() - figures.supported.zero_shot().accuracy();
  const double full = figures.supported.fine_tuned().accuracy() - figures.supported.zero_shot().accuracy();
  return absl::StrFormat(
      "Chosen α = %s: the most that %s can gain while %s loses at most %s points on validation data.\n"
      "On test data %s changes by %s points and %s by %s; all the way to α = 1 it would have been %s.\n",
      Number(figures.alpha), ShortName(figures.patching.task()), ShortName(figures.supported.task()),
      Number(epsilon_points), ShortName(figures.patching.task()), Points(gain), ShortName(figures.supported.task()),
      Points(cost), Points(full));
}

std::string EpilogueText(const v1::PatchJob& job, const DemoServer& server, bool keep) {
  const std::string checkpoint = job.result().checkpoints_size() > 0 ? ShortName(job.result().checkpoints(0)) : "";
  const std::string alpha = Number(job.result().alpha());
  std::string text = absl::StrFormat(
      "\nIn %s the server stored\n"
      "  modelpatch.db   the model, tasks, job %s, checkpoint %s, and what made it\n"
      "  models/         its own copy of the model\n"
      "  blobs/          the fine-tuned weights; any α is mixed from them when it is asked for\n"
      "  jobs/           the job's steps, their events and logs\n",
      server.data_directory(), ShortName(job.name()), checkpoint);
  if (!keep) {
    return text +
           "and now that the demo ends, all of that is removed.\n\n"
           "To try next:\n"
           "  ./run demo --keep     the same, and the server stays for your own commands\n"
           "  ./run demo --seed 1   another run of the training\n"
           "  ./run serve           a server with a data directory that is kept; then `modelpatch --help`\n";
  }
  return absl::StrFormat(
      "%s\nThe server runs on. To try next:\n"
      "  export MODELPATCH_SERVER=%s\n"
      "  modelpatch job show %s\n"
      "  modelpatch classify --checkpoint %s --alpha %s --class cat --class dog IMAGE.png\n"
      "  modelpatch sweep --checkpoint %s --patch-task digits --supported-task shapes   after `task create shapes "
      "--generator shapes --train-examples 100 --test-examples 1000`\n"
      "  modelpatch interpolate --term %s=%s --name my-patch\n"
      "  curl http://%s/metrics\n"
      "To end it and remove everything:\n"
      "  kill %d && rm -r %s\n",
      text, server.address(), ShortName(job.name()), checkpoint, alpha, checkpoint, checkpoint, alpha,
      server.http_address(), server.pid(), server.directory());
}

}  // namespace modelpatch::client
