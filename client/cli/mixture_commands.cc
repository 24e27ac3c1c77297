#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/checkpoint_text.h"
#include "client/cli/choices.h"
#include "client/cli/commands.h"
#include "client/cli/curve_text.h"
#include "client/cli/merge_options.h"
#include "client/cli/mixture_options.h"
#include "client/cli/progress_bar.h"
#include "client/cli/session.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

struct InterpolateOptions {
  std::string model;
  std::vector<std::string> terms;
  std::string name;
  std::string request_id;
  bool allow_extrapolation = false;
  MergeArguments merge;
};

void AddInterpolate(CLI::App& app, Session& session) {
  auto options = std::make_shared<InterpolateOptions>();
  CLI::App* command =
      app.add_subcommand("interpolate", "Store a mixture, or what a merging method makes of it, as a checkpoint");
  command->add_option("--term", options->terms, "CHECKPOINT=α, as often as needed")->required();
  command->add_option("--name", options->name, "What the checkpoint shall be called")->required();
  command->add_option("--model", options->model, "The model (default: the checkpoints')");
  command->add_flag("--allow-extrapolation", options->allow_extrapolation, "Let α lie outside [0, 1]");
  command->add_option("--request-id", options->request_id, "A second call with the same one changes nothing");
  AddMergeOptions(*command, options->merge);
  command->callback([&session, options] {
    session.command = [&session, options]() -> absl::Status {
      v1::InterpolateRequest request;
      request.set_checkpoint_id(options->name);
      request.set_request_id(options->request_id);
      v1::Mixture& mixture = *request.mutable_mixture();
      if (!options->model.empty()) mixture.set_model(ResourceName("models", options->model));
      mixture.set_allow_extrapolation(options->allow_extrapolation);
      for (const std::string& text : options->terms) {
        CLIENT_ASSIGN_OR_RETURN(*mixture.add_terms(), ParseTerm(text));
      }
      CLIENT_ASSIGN_OR_RETURN(const auto merge, MergeOf(options->merge));
      if (merge.has_value()) *request.mutable_merge() = *merge;
      CLIENT_ASSIGN_OR_RETURN(const v1::Checkpoint result, session.client().Interpolate(request));
      return session.Print(result, CheckpointText);
    };
  });
}

struct SweepOptions {
  MixtureOptions end;
  std::vector<std::string> patching_tasks;
  std::vector<std::string> supported_tasks;
  std::string alphas;
  v1::Split split = v1::SPLIT_VALIDATION;
};

absl::Status RunSweep(Session& session, const SweepOptions& options) {
  v1::SweepRequest request;
  if (options.end.patch.empty()) {
    *request.mutable_end() = MixtureOf(options.end);
  } else {
    request.set_end_patch(ResourceName("patches", options.end.patch));
    CLIENT_RETURN_IF_ERROR(CheckPatchModel(session, options.end));
  }
  request.set_split(options.split);
  for (const std::string& task : options.patching_tasks) request.add_patching_tasks(ResourceName("tasks", task));
  for (const std::string& task : options.supported_tasks) request.add_supported_tasks(ResourceName("tasks", task));
  if (!options.alphas.empty()) {
    CLIENT_ASSIGN_OR_RETURN(const std::vector<double> alphas, ParseAlphas(options.alphas));
    request.mutable_alphas()->Add(alphas.begin(), alphas.end());
  }
  absl::Status printed;
  std::vector<v1::SweepPoint> points;
  CLIENT_ASSIGN_OR_RETURN(const v1::SweepSummary summary,
                          session.client().Sweep(request, [&](const v1::SweepPoint& point) {
                            points.push_back(point);
                            if (session.json) {
                              v1::SweepResponse response;
                              *response.mutable_point() = point;
                              printed.Update(session.PrintJson(response));
                            } else if (session.error_is_terminal()) {
                              session.error() << "\r\033[Kα " << Number(point.alpha()) << std::flush;
                            }
                          }));
  CLIENT_RETURN_IF_ERROR(printed);
  if (session.json) {
    v1::SweepResponse response;
    *response.mutable_summary() = summary;
    return session.PrintJson(response);
  }
  if (session.error_is_terminal()) session.error() << "\r\033[K" << std::flush;
  session.out() << CurveTable(points, std::nullopt) << "\n"
                << CurvePlot(points, std::nullopt, LocaleIsUtf8()) << "\n"
                << absl::StrFormat("on %s data the mean is best at α = %s: %s  (%.1f s)\n", SplitName(summary.split()),
                                   Number(summary.best_mean_alpha()), Percent(summary.best_mean_accuracy()),
                                   summary.seconds());
  return absl::OkStatus();
}

void AddSweep(CLI::App& app, Session& session) {
  auto options = std::make_shared<SweepOptions>();
  CLI::App* command =
      app.add_subcommand("sweep", "The accuracies on the way from a model (α = 0) to a checkpoint or a patch (α = 1)");
  CLI::Option* checkpoint = command->add_option("--checkpoint", options->end.checkpoint, "α = 1");
  command->add_option("--patch", options->end.patch, "Or: NAME, NAME@VERSION or NAME@ALIAS")->excludes(checkpoint);
  command->add_option("--model", options->end.model, "The model (default: the checkpoint's or the patch's)");
  command->add_option("--patch-task", options->patching_tasks, "A patching task, as often as needed");
  command->add_option("--supported-task", options->supported_tasks, "A supported task, as often as needed");
  command->add_option("--alphas", options->alphas, "FROM:TO:STEP or A,B,C (default: 0:1:0.05)");
  command->add_option("--split", options->split, "Of the tasks' data (default: validation)")
      ->transform(OneOf(SplitNames()))
      ->type_name("validation|test");
  command->callback([&session, options] {
    if (options->end.checkpoint.empty() && options->end.patch.empty()) {
      throw CLI::RequiredError("--checkpoint or --patch");
    }
    if (options->patching_tasks.empty() && options->supported_tasks.empty()) {
      throw CLI::RequiredError("--patch-task or --supported-task");
    }
    session.command = [&session, options] { return RunSweep(session, *options); };
  });
}

struct EvaluateOptions {
  MixtureOptions mixture;
  std::vector<std::string> tasks;
  v1::Split split = v1::SPLIT_TEST;
};

void AddEvaluate(CLI::App& app, Session& session) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = app.add_subcommand("evaluate", "The accuracies of a model or a mixture");
  AddMixtureOptions(*command, options->mixture);
  command->add_option("--task", options->tasks, "A task, as often as needed")->required();
  command->add_option("--split", options->split, "Of the task's data (default: test)")
      ->transform(OneOf(SplitNames()))
      ->type_name("validation|test");
  command->callback([&session, options] {
    RequireMixture(options->mixture);
    session.command = [&session, options]() -> absl::Status {
      v1::EvaluateRequest request;
      CLIENT_RETURN_IF_ERROR(SetWeights(session, options->mixture, request));
      for (const std::string& task : options->tasks) request.add_tasks(ResourceName("tasks", task));
      request.set_split(options->split);
      CLIENT_ASSIGN_OR_RETURN(const v1::EvaluateResponse result, session.client().Evaluate(request));
      return session.Print(result, [](const v1::EvaluateResponse& response) {
        return WeightsText(response.mixture(), response.weights()) + "\n" +
               AccuracyTable(ToVector(response.accuracies()));
      });
    };
  });
}

}  // namespace

void AddMixtureCommands(CLI::App& app, Session& session) {
  AddInterpolate(app, session);
  AddSweep(app, session);
  AddEvaluate(app, session);
}

}  // namespace modelpatch::client
