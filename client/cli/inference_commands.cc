#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/classify_bulk.h"
#include "client/cli/commands.h"
#include "client/cli/mixture_options.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

struct ClassifyOptions {
  MixtureOptions mixture;
  std::vector<std::string> class_names;
  std::vector<std::string> templates;
  int32_t top_k = 5;
  bool stream = false;
  bool auto_alpha = false;
  std::vector<std::string> images;
};

template <typename Request>
absl::Status AddImages(const std::vector<std::string>& paths, Request& request) {
  for (const std::string& path : paths) {
    CLIENT_ASSIGN_OR_RETURN(*request.add_images()->mutable_encoded(), ReadFile(path));
  }
  return absl::OkStatus();
}

std::string ClassifyText(const v1::ClassifyResponse& response, const std::vector<std::string>& images) {
  std::string text = absl::StrCat(WeightsText(response.mixture(), response.weights()), "\n");
  for (int i = 0; i < response.results_size(); ++i) {
    Table table({{"CLASS"}, {"PROBABILITY", Align::kRight}, {"LOGIT", Align::kRight}, {"COSINE", Align::kRight}});
    for (const v1::ClassScore& score : response.results(i).scores()) {
      table.AddRow({score.class_name(), Percent(score.probability()), absl::StrFormat("%.3f", score.logit()),
                    absl::StrFormat("%.4f", score.cosine())});
    }
    const std::string name = static_cast<size_t>(i) < images.size() ? images[static_cast<size_t>(i)] : "";
    absl::StrAppend(&text, "\n", Printable(name));
    if (response.results(i).has_alpha())
      absl::StrAppendFormat(&text, "  at α = %.3f of the way", response.results(i).alpha());
    absl::StrAppend(&text, "\n", table.Render());
  }
  if (response.probability_kind() == v1::PROBABILITY_KIND_SIGMOID) {
    absl::StrAppend(&text, "\neach class has a probability of its own (sigmoid)\n");
  }
  if (response.truncated_prompt_count() > 0) {
    absl::StrAppend(&text, "\n", response.truncated_prompt_count(),
                    " prompts were too long for the model and were cut\n");
  }
  return text;
}

v1::StreamClassifyHeader HeaderOf(const v1::ClassifyRequest& request) {
  v1::StreamClassifyHeader header;
  if (request.has_mixture()) *header.mutable_mixture() = request.mixture();
  header.set_patch(request.patch());
  if (request.has_alpha()) header.set_alpha(request.alpha());
  *header.mutable_class_prompts() = request.class_prompts();
  header.set_top_k(request.top_k());
  return header;
}

void AddClassify(CLI::App& app, Session& session) {
  auto options = std::make_shared<ClassifyOptions>();
  CLI::App* command = app.add_subcommand("classify", "Ask which of any classes your own images show");
  AddMixtureOptions(*command, options->mixture);
  command->add_option("--class", options->class_names, "A class name, as often as needed")
      ->required()
      ->allow_extra_args(false);
  command->add_option("--template", options->templates, "A prompt with {c} for the class name; or builtin:NAME")
      ->allow_extra_args(false);
  command->add_option("--top-k", options->top_k, "Classes to show; 0 means all")->capture_default_str();
  command->add_flag("--stream", options->stream,
                    "For very many images: one line for each, as soon as it is known, in any order");
  command
      ->add_flag("--auto-alpha", options->auto_alpha,
                 "Experimental: an α for each image, by whether the model or the mixture is surer of it")
      ->excludes("--stream");
  command->add_option("IMAGE", options->images, "Image files")->required();
  command->callback([&session, options] {
    RequireMixture(options->mixture);
    session.command = [&session, options]() -> absl::Status {
      v1::ClassifyRequest request;
      if (options->auto_alpha) request.set_alpha_policy(v1::SERVING_ALPHA_POLICY_AUTO);
      CLIENT_RETURN_IF_ERROR(SetWeights(session, options->mixture, request));
      v1::ClassPrompts::Names& names = *request.mutable_class_prompts()->mutable_names();
      for (const std::string& name : options->class_names) names.add_class_names(name);
      for (const std::string& text : options->templates) names.add_templates(text);
      request.set_top_k(options->top_k);
      if (options->stream) return ClassifyBulk(session, HeaderOf(request), options->images);
      CLIENT_RETURN_IF_ERROR(AddImages(options->images, request));
      CLIENT_ASSIGN_OR_RETURN(const v1::ClassifyResponse result, session.client().Classify(request));
      return session.Print(
          result, [&](const v1::ClassifyResponse& response) { return ClassifyText(response, options->images); });
    };
  });
}

// One line for each input: what it is, then the numbers.
template <typename Response>
std::string EmbeddingsText(const Response& response, const std::vector<std::string>& inputs) {
  std::string text;
  for (int i = 0; i < response.embeddings_size(); ++i) {
    const std::string name = static_cast<size_t>(i) < inputs.size() ? inputs[static_cast<size_t>(i)] : "";
    absl::StrAppend(&text, Printable(name), "\t", absl::StrJoin(response.embeddings(i).values(), " "), "\n");
  }
  return text;
}

void AddEncodeImage(CLI::App& app, Session& session) {
  auto mixture = std::make_shared<MixtureOptions>();
  auto images = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("encode-image", "The embeddings of your own images");
  AddMixtureOptions(*command, *mixture);
  command->add_option("IMAGE", *images, "Image files")->required();
  command->callback([&session, mixture, images] {
    RequireMixture(*mixture);
    session.command = [&session, mixture, images]() -> absl::Status {
      v1::EncodeImagesRequest request;
      CLIENT_RETURN_IF_ERROR(SetWeights(session, *mixture, request));
      CLIENT_RETURN_IF_ERROR(AddImages(*images, request));
      CLIENT_ASSIGN_OR_RETURN(const v1::EncodeImagesResponse result, session.client().EncodeImages(request));
      return session.Print(result, [&](const auto& response) { return EmbeddingsText(response, *images); });
    };
  });
}

struct TextOptions {
  std::string model;
  std::vector<std::string> texts;
};

std::shared_ptr<TextOptions> AddTextOptions(CLI::App& command) {
  auto options = std::make_shared<TextOptions>();
  command.add_option("--model", options->model, "The model")->required();
  command.add_option("TEXT", options->texts, "Texts")->required();
  return options;
}

template <typename Request>
Request TextRequest(const TextOptions& options) {
  Request request;
  request.set_model(ResourceName("models", options.model));
  for (const std::string& text : options.texts) request.add_texts(text);
  return request;
}

std::string TokensText(const v1::TokenizeResponse& response, const std::vector<std::string>& texts) {
  Table table({{"TEXT"}, {"TOKENS", Align::kRight}, {"CUT"}, {"IDS"}});
  for (int i = 0; i < response.tokens_size(); ++i) {
    const v1::Tokens& tokens = response.tokens(i);
    table.AddRow({static_cast<size_t>(i) < texts.size() ? texts[static_cast<size_t>(i)] : "",
                  absl::StrCat(tokens.token_count()),
                  tokens.truncated() ? absl::StrCat("after '", tokens.kept_text(), "'") : "no",
                  absl::StrJoin(tokens.ids(), " ")});
  }
  return table.Render();
}

}  // namespace

void AddInferenceCommands(CLI::App& app, Session& session) {
  AddClassify(app, session);
  AddEncodeImage(app, session);

  CLI::App* encode = app.add_subcommand("encode-text", "The embeddings of texts");
  const auto encode_options = AddTextOptions(*encode);
  encode->callback([&session, encode_options] {
    session.command = [&session, encode_options]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::EncodeTextsResponse result,
                              session.client().EncodeTexts(TextRequest<v1::EncodeTextsRequest>(*encode_options)));
      return session.Print(result,
                           [&](const auto& response) { return EmbeddingsText(response, encode_options->texts); });
    };
  });

  CLI::App* tokenize = app.add_subcommand("tokenize", "What texts look like to a model");
  const auto tokenize_options = AddTextOptions(*tokenize);
  tokenize->callback([&session, tokenize_options] {
    session.command = [&session, tokenize_options]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::TokenizeResponse result,
                              session.client().Tokenize(TextRequest<v1::TokenizeRequest>(*tokenize_options)));
      return session.Print(result, [&](const auto& response) { return TokensText(response, tokenize_options->texts); });
    };
  });
}

}  // namespace modelpatch::client
