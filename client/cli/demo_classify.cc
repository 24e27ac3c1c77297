#include "client/cli/demo_classify.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/arguments.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaximumImages = 8;

std::vector<fs::path> FindImages(const std::string& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".png") paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  paths.resize(std::min(paths.size(), kMaximumImages));
  return paths;
}

std::string BestOf(const v1::ClassifyResult& result) {
  if (result.scores().empty()) return "";
  return absl::StrCat(result.scores(0).class_name(), " ", Percent(result.scores(0).probability()));
}

}  // namespace

absl::Status ClassifyDemoImages(Session& session, const std::string& directory, const v1::PatchJob& job,
                                const v1::Task& patching, const v1::Task& supported) {
  const std::vector<fs::path> paths = FindImages(directory);
  if (paths.empty()) {
    session.out() << "no images to classify in " << directory << "\n";
    return absl::OkStatus();
  }
  v1::ClassifyRequest request;
  request.set_top_k(1);
  std::vector<std::string> class_names;
  for (const v1::Task* task : {&supported, &patching}) {
    for (const std::string& name : task->class_names()) {
      // A name that both tasks have is one class, and keeps the prompts of the first.
      if (std::find(class_names.begin(), class_names.end(), name) != class_names.end()) continue;
      class_names.push_back(name);
      v1::ClassPrompts::Class& added = *request.mutable_class_prompts()->mutable_prompted()->add_classes();
      added.set_name(name);
      for (const std::string& text : task->templates()) added.add_prompts(absl::StrReplaceAll(text, {{"{c}", name}}));
    }
  }
  for (const fs::path& path : paths) {
    CLIENT_ASSIGN_OR_RETURN(*request.add_images()->mutable_encoded(), ReadFile(path.string()));
  }
  v1::Mixture& mixture = *request.mutable_mixture();
  mixture.set_model(job.spec().model());
  v1::MixtureTerm& term = *mixture.add_terms();
  term.set_checkpoint(job.result().checkpoints(0));

  std::vector<Column> columns = {{"IMAGE"}};
  std::vector<std::vector<std::string>> rows;
  for (const fs::path& path : paths) rows.push_back({path.filename().string()});
  const double chosen = job.result().alpha();
  for (const double alpha : {0.0, chosen, 1.0}) {
    term.set_coefficient(alpha);
    CLIENT_ASSIGN_OR_RETURN(const v1::ClassifyResponse response, session.client().Classify(request));
    columns.push_back({absl::StrCat("α = ", Number(alpha))});
    for (size_t i = 0; i < rows.size() && static_cast<int>(i) < response.results_size(); ++i) {
      rows[i].push_back(BestOf(response.results(static_cast<int>(i))));
    }
  }
  Table table(std::move(columns));
  for (auto& row : rows) table.AddRow(std::move(row));
  session.out() << "Any class names will do, at any α. Among " << Printable(absl::StrJoin(class_names, ", ")) << ":\n\n"
                << table.Render();
  return absl::OkStatus();
}

}  // namespace modelpatch::client
