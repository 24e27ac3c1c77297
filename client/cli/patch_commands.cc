#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/patch_text.h"
#include "client/cli/session.h"
#include "client/status_macros.h"
#include "google/protobuf/empty.pb.h"

namespace modelpatch::client {
namespace {

struct CreateOptions {
  std::string name;
  std::string model;
  std::vector<std::string> terms;
  bool allow_extrapolation = false;
  std::string job;
  std::optional<double> epsilon_points;
  std::vector<std::string> budgets;
  std::string request_id;
};

absl::StatusOr<v1::CreatePatchRequest> RequestOf(const CreateOptions& options) {
  v1::CreatePatchRequest request;
  request.set_patch_id(options.name);
  request.set_request_id(options.request_id);
  for (const std::string& text : options.terms) {
    CLIENT_ASSIGN_OR_RETURN(*request.mutable_mixture()->add_terms(), ParseTerm(text));
  }
  if (request.has_mixture()) {
    request.mutable_mixture()->set_allow_extrapolation(options.allow_extrapolation);
    if (!options.model.empty()) request.mutable_mixture()->set_model(ResourceName("models", options.model));
  }
  if (!options.job.empty()) request.set_patch_job(ResourceName("patchJobs", options.job));
  if (options.epsilon_points.has_value()) request.set_epsilon_points(*options.epsilon_points);
  for (const std::string& text : options.budgets) {
    CLIENT_ASSIGN_OR_RETURN(*request.add_budgets(), ParseBudget(text));
  }
  return request;
}

void AddCreate(CLI::App& patch, Session& session) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* command = patch.add_subcommand("create", "Make a patch, or the next version of one");
  command->add_option("NAME", options->name, "What it is called")->required();
  command->add_option("--term", options->terms, "CHECKPOINT=α, as often as needed (default: what --from-job chose)");
  command->add_option("--model", options->model, "The model (default: the checkpoints')");
  command->add_flag("--allow-extrapolation", options->allow_extrapolation, "Let α lie outside [0, 1]");
  command->add_option("--from-job", options->job,
                      "The patch job whose measurements justify it (default: the one that made the checkpoint)");
  command->add_option("--epsilon", options->epsilon_points, "Points that a supported task may lose (default: 1)");
  command->add_option("--budget", options->budgets, "TASK=POINTS, what a single task may lose, as often as needed");
  command->add_option("--request-id", options->request_id, "A second call with the same one changes nothing");
  command->callback([&session, options] {
    if (options->terms.empty() && options->job.empty()) throw CLI::RequiredError("--term or --from-job");
    session.command = [&session, options]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::CreatePatchRequest request, RequestOf(*options));
      CLIENT_ASSIGN_OR_RETURN(const v1::Patch result, session.client().CreatePatch(request));
      return session.Print(result, PatchText);
    };
  });
}

void AddListAndShow(CLI::App& patch, Session& session) {
  patch.add_subcommand("list", "List all patches")->callback([&session] {
    session.command = [&session]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::ListPatchesResponse all,
                              AllPages<v1::ListPatchesRequest>([&](const v1::ListPatchesRequest& page) {
                                return session.client().ListPatches(page);
                              }));
      return session.Print(all, PatchesText);
    };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* show = patch.add_subcommand("show", "Show a patch, what justifies its versions, and its history");
  show->add_option("PATCH", *name, "The patch; with @VERSION or @ALIAS that version alone")->required();
  show->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Patch result, session.client().GetPatch(ResourceName("patches", *name)));
      return session.Print(result, PatchText);
    };
  });
}

// What promote, rollback and delete have in common.
template <typename Request>
void AddNameAndEtag(CLI::App& command, const std::shared_ptr<Request>& request) {
  command
      .add_option_function<std::string>(
          "PATCH", [request](const std::string& name) { request->set_name(ResourceName("patches", name)); },
          "The patch")
      ->required();
  command.add_option_function<std::string>(
      "--etag", [request](const std::string& etag) { request->set_etag(etag); },
      "Only if the patch still has this etag");
}

template <typename Request>
void AddAliasAndReason(CLI::App& command, const std::shared_ptr<Request>& request) {
  command.add_option_function<std::string>(
      "--alias", [request](const std::string& alias) { request->set_alias(alias); },
      "The alias to move (default: production)");
  command.add_option_function<std::string>(
      "--reason", [request](const std::string& reason) { request->set_reason(reason); }, "Kept in the patch's history");
}

void AddPromote(CLI::App& patch, Session& session) {
  auto request = std::make_shared<v1::PromotePatchRequest>();
  CLI::App* command = patch.add_subcommand("promote", "Put a version of a patch under an alias");
  AddNameAndEtag(*command, request);
  AddAliasAndReason(*command, request);
  command->add_option_function<int32_t>(
      "--version", [request](const int32_t& version) { request->set_version(version); },
      "Which version (default: the newest)");
  command->add_flag_function(
      "--override-budget", [request](int64_t) { request->set_override_budget(true); },
      "Also if it loses more than its budget or was not evaluated; needs a --reason");
  command->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Patch result, session.client().PromotePatch(*request));
      return session.Print(result, PatchText);
    };
  });
}

void AddRollback(CLI::App& patch, Session& session) {
  auto request = std::make_shared<v1::RollbackPatchRequest>();
  CLI::App* command = patch.add_subcommand("rollback", "Put back the version that an alias had before");
  AddNameAndEtag(*command, request);
  AddAliasAndReason(*command, request);
  command->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Patch result, session.client().RollbackPatch(*request));
      return session.Print(result, PatchText);
    };
  });
}

void AddDelete(CLI::App& patch, Session& session) {
  auto request = std::make_shared<v1::DeletePatchRequest>();
  CLI::App* command = patch.add_subcommand("delete", "Delete a patch with all its versions");
  AddNameAndEtag(*command, request);
  command->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_RETURN_IF_ERROR(session.client().DeletePatch(*request));
      return session.Print(google::protobuf::Empty(), [&](const auto&) { return "deleted " + request->name() + "\n"; });
    };
  });
}

}  // namespace

void AddPatchCommands(CLI::App& app, Session& session) {
  CLI::App* patch =
      app.add_subcommand("patch", "Name mixtures, promote their versions and go back")->require_subcommand(1);
  AddCreate(*patch, session);
  AddListAndShow(*patch, session);
  AddPromote(*patch, session);
  AddRollback(*patch, session);
  AddDelete(*patch, session);
}

}  // namespace modelpatch::client
