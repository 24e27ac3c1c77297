#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/choices.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/cli/transfer_bar.h"
#include "client/local_files.h"
#include "client/status_macros.h"
#include "google/protobuf/empty.pb.h"

namespace modelpatch::client {
namespace {

std::string SourceText(const v1::Task& task) {
  std::string text = task.has_generator() ? absl::StrCat("generated ", task.generator().generator())
                     : task.has_files()   ? FormatName(task.files().format())
                                          : "";
  if (!task.has_class_partition()) return text;
  return absl::StrCat(text, ", part ", task.class_partition().part(), "/", task.class_partition().parts());
}

std::string TaskText(const v1::Task& task) {
  Properties lines;
  lines.Add("name", task.name());
  lines.Add("created", Time(task.create_time()));
  lines.Add("source", SourceText(task));
  if (task.has_generator()) lines.Add("generator seed", absl::StrCat(task.generator().seed()));
  lines.Add("train", absl::StrCat(task.train_examples(), " examples  ", task.files().train_path()));
  lines.Add("validation", absl::StrCat(task.validation_examples(), " examples  ", task.files().validation_path()));
  lines.Add("test", absl::StrCat(task.test_examples(), " examples  ", task.files().test_path()));
  lines.Add("classes", absl::StrCat(task.class_names_size(), ": ", absl::StrJoin(task.class_names(), ", ")));
  if (task.has_class_partition()) {
    const v1::ClassPartition& partition = task.class_partition();
    lines.Add("class partition",
              absl::StrCat("part ", partition.part(), " of ", partition.parts(), ", seed ", partition.seed()));
  }
  for (const std::string& prompt : task.templates()) lines.Add("template", prompt);
  lines.Add("digest", task.digest());
  return lines.Render();
}

std::string TasksText(const v1::ListTasksResponse& response) {
  Table table({{"NAME"},
               {"SOURCE"},
               {"CLASSES", Align::kRight},
               {"TRAIN", Align::kRight},
               {"VALIDATION", Align::kRight},
               {"TEST", Align::kRight},
               {"CREATED"}});
  for (const v1::Task& task : response.tasks()) {
    table.AddRow({ShortName(task.name()), SourceText(task), absl::StrCat(task.class_names_size()),
                  absl::StrCat(task.train_examples()), absl::StrCat(task.validation_examples()),
                  absl::StrCat(task.test_examples()), Time(task.create_time())});
  }
  return table.Render();
}

struct CreateOptions {
  std::string name;
  std::string request_id;
  v1::TaskFormat format = v1::TASK_FORMAT_UNSPECIFIED;
  std::string train;
  std::string validation;
  std::string test;
  std::string classes_path;
  std::vector<std::string> class_names;
  std::vector<std::string> templates;
  std::optional<double> validation_fraction;
  int64_t split_seed = 0;
  std::string generator;
  int32_t train_examples = 10000;
  int32_t validation_examples = 1000;
  int32_t test_examples = 5000;
  int64_t generator_seed = 0;
  std::optional<std::string> class_part;
  int32_t class_parts = 0;  // 0: one task
  std::optional<int64_t> class_seed;
  bool upload = false;
};

absl::StatusOr<v1::Task> Upload(Session& session, v1::CreateTaskRequest request) {
  CLIENT_ASSIGN_OR_RETURN(const std::vector<LocalFile> files, FindTaskFiles(*request.mutable_task()->mutable_files()));
  TransferBar bar(session, "sending");
  return session.transfers().UploadTask(std::move(request), files, bar.Progress());
}

v1::CreateTaskRequest RequestOf(const CreateOptions& options) {
  v1::CreateTaskRequest request;
  request.set_request_id(options.request_id);
  v1::Task& task = *request.mutable_task();
  if (!options.generator.empty()) {
    v1::TaskGenerator& generator = *task.mutable_generator();
    generator.set_generator(options.generator);
    generator.set_train_examples(options.train_examples);
    generator.set_validation_examples(options.validation_examples);
    generator.set_test_examples(options.test_examples);
    generator.set_seed(options.generator_seed);
  } else {
    v1::TaskFiles& files = *task.mutable_files();
    files.set_format(options.format);
    files.set_train_path(options.train);
    files.set_validation_path(options.validation);
    files.set_test_path(options.test);
    files.set_class_names_path(options.classes_path);
    files.set_split_seed(options.split_seed);
    if (options.validation_fraction) files.set_validation_fraction(*options.validation_fraction);
  }
  for (const std::string& name : options.class_names) task.add_class_names(name);
  for (const std::string& text : options.templates) task.add_templates(text);
  return request;
}

absl::StatusOr<v1::Task> CreateOne(Session& session, const CreateOptions& options, const std::string& name,
                                   const std::optional<v1::ClassPartition>& partition) {
  v1::CreateTaskRequest request = RequestOf(options);
  request.set_task_id(name);
  if (partition) {
    *request.mutable_task()->mutable_class_partition() = *partition;
    request.mutable_task()->mutable_class_partition()->set_seed(options.class_seed.value_or(0));
  }
  return options.upload ? Upload(session, std::move(request)) : session.client().CreateTask(std::move(request));
}

absl::Status Create(Session& session, const CreateOptions& options) {
  std::optional<v1::ClassPartition> partition;
  if (options.class_part) {
    CLIENT_ASSIGN_OR_RETURN(partition, ParseClassPart(*options.class_part));
  }
  CLIENT_ASSIGN_OR_RETURN(const v1::Task result, CreateOne(session, options, options.name, partition));
  return session.Print(result, TaskText);
}

// `error`, and what was made before it.
absl::Status AfterParts(const absl::Status& error, const std::string& name, int made) {
  if (made == 0) return error;
  absl::Status result(error.code(),
                      absl::StrCat(error.message(), "; ", made, " tasks were made before, from ", name, "-0 on"));
  error.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

// NAME-0, NAME-1, …: all parts of one partition.
absl::Status CreateParts(Session& session, const CreateOptions& options) {
  v1::ListTasksResponse made;
  for (int part = 0; part < options.class_parts; ++part) {
    v1::ClassPartition partition;
    partition.set_parts(options.class_parts);
    partition.set_part(part);
    auto task = CreateOne(session, options, absl::StrCat(options.name, "-", part), partition);
    if (!task.ok()) return AfterParts(task.status(), options.name, part);
    *made.add_tasks() = *std::move(task);
  }
  return session.Print(made, TasksText);
}

// Part of the classes, or a task of each part.
void AddPartition(CLI::App& create, const std::shared_ptr<CreateOptions>& options) {
  CLI::Option* part = create
                          .add_option("--class-part", options->class_part,
                                      "Some of the classes alone: part I (from 0) of N, by a seeded partition")
                          ->type_name("I/N");
  create.add_option("--class-parts", options->class_parts, "A task of each part of the classes: NAME-0 to NAME-(N-1)")
      ->check(CLI::Range(2, 10000).description(""))
      ->excludes(part)
      ->type_name("N");
  create.add_option("--class-seed", options->class_seed, "Of the partition (default: 0)");
}

void AddCreate(CLI::App& task, Session& session) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* create = task.add_subcommand("create", "Register files of the server, or a generator, as a task");
  create->add_option("NAME", options->name, "What it shall be called")->required();
  const std::map<std::string, v1::TaskFormat> formats = {{"idx", v1::TASK_FORMAT_IDX},
                                                         {"cifar", v1::TASK_FORMAT_CIFAR},
                                                         {"image-folder", v1::TASK_FORMAT_IMAGE_FOLDER},
                                                         {"json-lines", v1::TASK_FORMAT_JSON_LINES}};
  CLI::Option* format = create->add_option("--format", options->format, "Of the files")
                            ->transform(OneOf(formats))
                            ->type_name("idx|cifar|image-folder|json-lines");
  create->add_option("--train", options->train, "Path on the server, below one of its import roots")->needs(format);
  create->add_option("--validation", options->validation, "Path; without it a part of the training data is taken")
      ->needs(format);
  create->add_option("--test", options->test, "Path")->needs(format);
  create->add_option("--classes", options->classes_path, "A file on the server, one class name a line")->needs(format);
  create->add_option("--class", options->class_names, "A class name, in the order of the labels; or builtin:NAME")
      ->allow_extra_args(false);
  create->add_option("--template", options->templates, "A prompt with {c} for the class name; or builtin:NAME")
      ->allow_extra_args(false);
  create
      ->add_option("--validation-fraction", options->validation_fraction,
                   "Share of the training data that becomes validation data (default: 0.1)")
      ->needs(format);
  create->add_option("--split-seed", options->split_seed, "Of the part that becomes the validation data")
      ->needs(format);
  create->add_flag("--upload", options->upload, "The paths are of this machine instead, and the files are sent")
      ->needs(format);
  create->add_option("--generator", options->generator, "Draw the images: shapes, colors or digits")
      ->excludes(format)
      ->type_name("shapes|colors|digits");
  create->add_option("--train-examples", options->train_examples, "Images to draw")->capture_default_str();
  create->add_option("--validation-examples", options->validation_examples, "Images to draw")->capture_default_str();
  create->add_option("--test-examples", options->test_examples, "Images to draw")->capture_default_str();
  create->add_option("--generator-seed", options->generator_seed, "Another seed draws other images")
      ->capture_default_str();
  AddPartition(*create, options);
  create->add_option("--request-id", options->request_id, "A second call with the same one changes nothing");
  create->callback([&session, options, format] {
    if (options->generator.empty() && format->count() == 0) throw CLI::RequiredError("--format or --generator");
    if (options->class_seed && !options->class_part && options->class_parts == 0) {
      throw CLI::RequiresError("--class-seed", "--class-part or --class-parts");
    }
    session.command = [&session, options]() -> absl::Status {
      return options->class_parts == 0 ? Create(session, *options) : CreateParts(session, *options);
    };
  });
}

}  // namespace

void AddTaskCommands(CLI::App& app, Session& session) {
  CLI::App* task = app.add_subcommand("task", "Create tasks, list and delete them")->require_subcommand(1);
  AddCreate(*task, session);

  task->add_subcommand("list", "List all tasks")->callback([&session] {
    session.command = [&session]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::ListTasksResponse all,
                              AllPages<v1::ListTasksRequest>(
                                  [&](const v1::ListTasksRequest& page) { return session.client().ListTasks(page); }));
      return session.Print(all, TasksText);
    };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* show = task->add_subcommand("show", "Show a task");
  show->add_option("NAME", *name, "The task")->required();
  show->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::Task result, session.client().GetTask(ResourceName("tasks", *name)));
      return session.Print(result, TaskText);
    };
  });

  CLI::App* remove = task->add_subcommand("delete", "Delete a task; its files stay");
  remove->add_option("NAME", *name, "The task")->required();
  remove->callback([&session, name] {
    session.command = [&session, name]() -> absl::Status {
      const std::string full = ResourceName("tasks", *name);
      CLIENT_RETURN_IF_ERROR(session.client().DeleteTask(full));
      return session.Print(google::protobuf::Empty(), [&](const auto&) { return "deleted " + full + "\n"; });
    };
  });
}

}  // namespace modelpatch::client
