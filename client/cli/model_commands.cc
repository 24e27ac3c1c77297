#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/choices.h"
#include "client/cli/commands.h"
#include "client/cli/mixture_options.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/cli/transfer_bar.h"
#include "client/local_files.h"
#include "client/status_macros.h"
#include "google/protobuf/empty.pb.h"

namespace modelpatch::client {
namespace {

// `224`, or `224 x 448` (height x width).
std::string ImageSizeText(const v1::Model& model) {
  return model.image_width_pixels() == 0 ? absl::StrCat(model.image_size_pixels())
                                         : absl::StrCat(model.image_size_pixels(), " x ", model.image_width_pixels());
}

std::string ModelText(const v1::Model& model) {
  Properties lines;
  lines.Add("name", model.name());
  lines.Add("imported", Time(model.create_time()));
  lines.Add("from", model.source_path());
  lines.Add("digest", model.digest());
  lines.Add("layout digest", model.layout_digest());
  lines.Add("architecture", model.architecture());
  lines.Add("image size", model.patch_size_pixels() == 0
                              ? absl::StrCat(ImageSizeText(model), " pixels")
                              : absl::StrCat(ImageSizeText(model), " pixels, patches of ", model.patch_size_pixels()));
  lines.Add("embedding", absl::StrCat(model.embedding_dimension(), " dimensions"));
  lines.Add("context", absl::StrCat(model.context_length_tokens(), " tokens of ", model.vocabulary_size()));
  lines.Add("logit scale", Number(model.logit_scale()));
  if (model.has_logit_bias()) lines.Add("logit bias", Number(model.logit_bias()));
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
    table.AddRow({ShortName(model.name()), model.architecture(), ImageSizeText(model),
                  absl::StrCat(model.image_encoder_parameters() + model.text_encoder_parameters()),
                  Bytes(model.size_bytes()), Time(model.create_time()), ShortDigest(model.digest())});
  }
  return table.Render();
}

struct ExportOptions {
  MixtureOptions mixture;
  std::string path;
  v1::ExportLayout layout = v1::EXPORT_LAYOUT_HUGGING_FACE;
  bool download = false;
};

absl::Status Download(Session& session, const ExportOptions& options) {
  v1::DownloadModelRequest request;
  CLIENT_RETURN_IF_ERROR(SetWeights(session, options.mixture, request));
  request.set_layout(options.layout);
  absl::StatusOr<v1::DownloadStart> result = absl::UnknownError("not called");
  {
    TransferBar bar(session, "receiving");
    result = session.transfers().DownloadModel(request, options.path, bar.Progress());
  }
  CLIENT_RETURN_IF_ERROR(result.status());
  return session.Print(*result, [&](const v1::DownloadStart& start) {
    return absl::StrCat("wrote ", Bytes(start.size_bytes()), " to ", options.path, "\n");
  });
}

absl::Status Upload(Session& session, v1::ImportModelRequest request) {
  CLIENT_ASSIGN_OR_RETURN(const std::vector<LocalFile> files, FindModelFiles(request.path()));
  request.clear_path();
  absl::StatusOr<v1::Model> result = absl::UnknownError("not called");
  {
    TransferBar bar(session, "sending");
    result = session.transfers().UploadModel(std::move(request), files, bar.Progress());
  }
  CLIENT_RETURN_IF_ERROR(result.status());
  return session.Print(*result, ModelText);
}

void AddExport(CLI::App& model, Session& session) {
  static const std::map<std::string, v1::ExportLayout> layouts = {{"hugging-face", v1::EXPORT_LAYOUT_HUGGING_FACE},
                                                                  {"open-clip", v1::EXPORT_LAYOUT_OPEN_CLIP}};
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = model.add_subcommand("export", "Write a model or a mixture for other tools to load");
  command->add_option("NAME", options->mixture.model, "The model")->required();
  command->add_option("OUT", options->path, "A new directory on the server, below its export root")->required();
  command->add_flag("--download", options->download, "OUT is a new directory on this machine instead");
  AddPartOptions(*command, options->mixture);
  command->add_option("--layout", options->layout, "Which tools' (default: hugging-face)")
      ->transform(OneOf(layouts))
      ->type_name("hugging-face|open-clip");
  command->callback([&session, options] {
    RequireMixture(options->mixture);
    session.command = [&session, options]() -> absl::Status {
      if (options->download) return Download(session, *options);
      v1::ExportModelRequest request;
      CLIENT_RETURN_IF_ERROR(SetWeights(session, options->mixture, request));
      request.set_path(options->path);
      request.set_layout(options->layout);
      CLIENT_ASSIGN_OR_RETURN(const v1::ExportModelResponse result, session.client().ExportModel(request));
      return session.Print(result, [](const v1::ExportModelResponse& response) {
        return absl::StrCat("wrote ", Bytes(response.size_bytes()), " to ", response.path(), "\n");
      });
    };
  });
}

void AddInit(CLI::App& model, Session& session) {
  auto request = std::make_shared<v1::InitializeModelRequest>();
  CLI::App* init = model.add_subcommand("init", "Make a model with random weights, for benchmarks");
  init->add_option_function<std::string>(
          "NAME", [request](const std::string& id) { request->set_model_id(id); }, "What it shall be called")
      ->required();
  init->add_option_function<std::string>(
          "--architecture", [request](const std::string& name) { request->set_architecture(name); },
          "OpenCLIP's or OpenAI's name of it, such as ViT-L-14 or RN50-quickgelu")
      ->required();
  init->add_option_function<int64_t>(
      "--seed", [request](const int64_t& seed) { request->set_seed(seed); }, "What the weights are drawn from");
  init->callback([&session, request] {
    session.command = [&session, request]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Model result, session.client().InitializeModel(*request));
      return session.Print(result, ModelText);
    };
  });
}

}  // namespace

void AddModelCommands(CLI::App& app, Session& session) {
  CLI::App* model = app.add_subcommand("model", "Import models, make random ones, list, delete and export them")
                        ->require_subcommand(1);

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
  import->add_flag_function(
      "--allow-unverified-family", [request](int64_t) { request->set_allow_unverified_family(true); },
      "Import a SigLIP, whose outputs were never compared with a reference's");
  import->add_option_function<std::string>(
      "--architecture", [request](const std::string& name) { request->set_architecture(name); },
      "OpenCLIP's name of the architecture, such as ViT-B-32-quickgelu, of a state dict without a config");
  auto upload = std::make_shared<bool>(false);
  import->add_flag("--upload", *upload, "PATH is a directory on this machine instead, and its files are sent");
  import->callback([&session, request, upload] {
    session.command = [&session, request, upload]() -> absl::Status {
      if (*upload) return Upload(session, *request);
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

  AddInit(*model, session);
  AddExport(*model, session);
}

}  // namespace modelpatch::client
