#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"
#include "google/protobuf/empty.pb.h"

namespace modelpatch::client {
namespace {

std::string ModelText(const v1::Model& model) {
  Properties lines;
  lines.Add("name", model.name());
  lines.Add("imported", Time(model.create_time()));
  lines.Add("from", model.source_path());
  lines.Add("digest", model.digest());
  lines.Add("layout digest", model.layout_digest());
  lines.Add("architecture", model.architecture());
  lines.Add("image size", absl::StrCat(model.image_size_pixels(), " pixels, patches of ", model.patch_size_pixels()));
  lines.Add("embedding", absl::StrCat(model.embedding_dimension(), " dimensions"));
  lines.Add("context", absl::StrCat(model.context_length_tokens(), " tokens of ", model.vocabulary_size()));
  lines.Add("logit scale", Number(model.logit_scale()));
  lines.Add("parameters", absl::StrCat(model.image_encoder_parameters(), " image encoder, ",
                                       model.text_encoder_parameters(), " text encoder"));
  lines.Add("size", Bytes(model.size_bytes()));
  return lines.Render();
}

std::string ModelsText(const v1::ListModelsResponse& response) {
  Table table({{"NAME"},
               {"ARCHITECTURE"},
               {"IMAGE", Align::kRight},
               {"PARAMETERS", Align::kRight},
               {"SIZE", Align::kRight},
               {"IMPORTED"},
               {"DIGEST"}});
  for (const v1::Model& model : response.models()) {
    table.AddRow({ShortName(model.name()), model.architecture(), absl::StrCat(model.image_size_pixels()),
                  absl::StrCat(model.image_encoder_parameters() + model.text_encoder_parameters()),
                  Bytes(model.size_bytes()), Time(model.create_time()), ShortDigest(model.digest())});
  }
  return table.Render();
}

}  // namespace

void AddModelCommands(CLI::App& app, Session& session) {
  CLI::App* model = app.add_subcommand("model", "Import models, list and delete them")->require_subcommand(1);

  auto request = std::make_shared<v1::ImportModelRequest>();
  CLI::App* import = model->add_subcommand("import", "Import a model from a directory of the server");
  import
      ->add_option_function<std::string>(
          "NAME", [request](const std::string& id) { request->set_model_id(id); }, "What it shall be called")
      ->required();
  import
      ->add_option_function<std::string>(
          "PATH", [request](const std::string& path) { request->set_path(path); },
          "A directory on the server, below one of its import roots")
      ->required();
  import->add_option_function<std::string>(
      "--request-id", [request](const std::string& id) { request->set_request_id(id); },
      "A second call with the same one changes nothing");
  import->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Model result, session.client().ImportModel(*request));
      return session.Print(result, ModelText);
    };
  });

  model->add_subcommand("list", "List all models")->callback([&session] {
    session.command = [&session]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::ListModelsResponse all,
                              AllPages<v1::ListModelsRequest>([&](const v1::ListModelsRequest& page) {
                                return session.client().ListModels(page);
                              }));
      return session.Print(all, ModelsText);
    };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* show = model->add_subcommand("show", "Show a model");
  show->add_option("NAME", *name, "The model")->required();
  show->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Model result, session.client().GetModel(ResourceName("models", *name)));
      return session.Print(result, ModelText);
    };
  });

  CLI::App* remove = model->add_subcommand("delete", "Delete a model");
  remove->add_option("NAME", *name, "The model")->required();
  remove->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      const std::string full = ResourceName("models", *name);
      CLIENT_RETURN_IF_ERROR(session.client().DeleteModel(full));
      return session.Print(google::protobuf::Empty(), [&](const auto&) { return "deleted " + full + "\n"; });
    };
  });
}

}  // namespace modelpatch::client
