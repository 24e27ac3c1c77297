#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/cli/arguments.h"
#include "client/cli/checkpoint_text.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/status_macros.h"
#include "google/protobuf/empty.pb.h"

namespace modelpatch::client {
namespace {

void AddCompare(CLI::App& checkpoint, Session& session) {
  auto request = std::make_shared<v1::CompareCheckpointsRequest>();
  CLI::App* compare = checkpoint.add_subcommand("compare", "How far apart two checkpoints are");
  compare
      ->add_option_function<std::string>(
          "FIRST", [request](const std::string& name) { request->set_first(ResourceName("checkpoints", name)); },
          "A checkpoint, or models/NAME")
      ->required();
  compare
      ->add_option_function<std::string>(
          "SECOND", [request](const std::string& name) { request->set_second(ResourceName("checkpoints", name)); },
          "A checkpoint, or models/NAME")
      ->required();
  compare->add_option_function<std::vector<std::string>>(
      "--task",
      [request](const std::vector<std::string>& tasks) {
        for (const std::string& task : tasks) request->add_tasks(ResourceName("tasks", task));
      },
      "Also the linear CKA of the image features on this task's validation images");
  compare->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::CompareCheckpointsResponse result,
                              session.client().CompareCheckpoints(*request));
      return session.Print(result, ComparisonText);
    };
  });
}

void AddImport(CLI::App& checkpoint, Session& session) {
  auto request = std::make_shared<v1::ImportCheckpointRequest>();
  CLI::App* import = checkpoint.add_subcommand("import", "Import weights that another tool fine-tuned from a model");
  import
      ->add_option_function<std::string>(
          "NAME", [request](const std::string& id) { request->set_checkpoint_id(id); }, "What it shall be called")
      ->required();
  import
      ->add_option_function<std::string>(
          "PATH", [request](const std::string& path) { request->set_path(path); },
          "A directory or a weight file on the server, below one of its import roots")
      ->required();
  import
      ->add_option_function<std::string>(
          "--model", [request](const std::string& name) { request->set_model(ResourceName("models", name)); },
          "The model that it was fine-tuned from")
      ->required();
  import->add_option_function<std::string>(
      "--request-id", [request](const std::string& id) { request->set_request_id(id); },
      "A second call with the same one changes nothing");
  import->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Checkpoint result, session.client().ImportCheckpoint(*request));
      return session.Print(result, CheckpointText);
    };
  });
}

}  // namespace

void AddCheckpointCommands(CLI::App& app, Session& session) {
  CLI::App* checkpoint =
      app.add_subcommand("checkpoint", "Import, list, compare and delete checkpoints")->require_subcommand(1);

  checkpoint->add_subcommand("list", "List all checkpoints")->callback([&session] {
    session.command = [&session]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::ListCheckpointsResponse all,
                              AllPages<v1::ListCheckpointsRequest>([&](const v1::ListCheckpointsRequest& page) {
                                return session.client().ListCheckpoints(page);
                              }));
      return session.Print(all, CheckpointsText);
    };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* show = checkpoint->add_subcommand("show", "Show a checkpoint and what made it");
  show->add_option("CHECKPOINT", *name, "The checkpoint")->required();
  show->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Checkpoint result,
                              session.client().GetCheckpoint(ResourceName("checkpoints", *name)));
      return session.Print(result, CheckpointText);
    };
  });

  CLI::App* remove = checkpoint->add_subcommand("delete", "Delete a checkpoint");
  remove->add_option("CHECKPOINT", *name, "The checkpoint")->required();
  remove->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      const std::string full = ResourceName("checkpoints", *name);
      CLIENT_RETURN_IF_ERROR(session.client().DeleteCheckpoint(full));
      return session.Print(google::protobuf::Empty(), [&](const auto&) { return "deleted " + full + "\n"; });
    };
  });

  AddImport(*checkpoint, session);
  AddCompare(*checkpoint, session);
}

}  // namespace modelpatch::client
