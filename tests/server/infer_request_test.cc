#include "server/open_inference/infer_request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using ::inference::ModelInferRequest;
using testing::FailsWith;
using Input = ModelInferRequest::InferInputTensor;

Input* AddInput(ModelInferRequest& request, const std::string& name, const std::string& datatype,
                const std::vector<int64_t>& shape) {
  Input* input = request.add_inputs();
  input->set_name(name);
  input->set_datatype(datatype);
  for (const int64_t size : shape) input->add_shape(size);
  return input;
}

void AddTexts(ModelInferRequest& request, const std::string& name, const std::vector<std::string>& texts) {
  Input* input = AddInput(request, name, "BYTES", {static_cast<int64_t>(texts.size())});
  for (const std::string& text : texts) input->mutable_contents()->add_bytes_contents(text);
}

// Two images and two classes.
ModelInferRequest Plain() {
  ModelInferRequest request;
  request.set_model_name("clip");
  AddTexts(request, "images", {"one", "two"});
  AddTexts(request, "class_names", {"cat", "dog"});
  return request;
}

std::string Raw(const std::vector<std::string>& texts) {
  std::string raw;
  for (const std::string& text : texts) {
    raw += std::string({static_cast<char>(text.size()), 0, 0, 0}) + text;
  }
  return raw;
}

ModelInferRequest PlainRaw() {
  ModelInferRequest request = Plain();
  for (Input& input : *request.mutable_inputs()) input.clear_contents();
  request.add_raw_input_contents(Raw({"one", "two"}));
  request.add_raw_input_contents(Raw({"cat", "dog"}));
  return request;
}

absl::StatusOr<InferRequest> Convert(const ModelInferRequest& request) { return ToInferRequest(request, {}); }

std::vector<std::string> NamesOf(const InferRequest& request) {
  const auto& names = request.class_prompts->names().class_names();
  return {names.begin(), names.end()};
}

TEST(InferRequestTest, ReadsTypedContents) {
  ModelInferRequest request = Plain();
  AddTexts(request, "templates", {"a {c}."});
  ASSERT_OK_AND_ASSIGN(const InferRequest infer, Convert(request));
  EXPECT_EQ(infer.mixture.model(), "models/clip");
  EXPECT_EQ(infer.mixture.terms_size(), 0);
  ASSERT_EQ(infer.images.size(), 2);
  EXPECT_EQ(infer.images[1].encoded(), "two");
  EXPECT_EQ(NamesOf(infer), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(infer.class_prompts->names().templates(0), "a {c}.");
  EXPECT_FALSE(infer.is_raw);
  ASSERT_EQ(infer.outputs.size(), 3u);
  EXPECT_EQ(infer.outputs[0].name, kProbabilities);
}

TEST(InferRequestTest, ReadsRawContents) {
  ASSERT_OK_AND_ASSIGN(const InferRequest infer, Convert(PlainRaw()));
  EXPECT_TRUE(infer.is_raw);
  EXPECT_EQ(infer.images[0].encoded(), "one");
  EXPECT_EQ(NamesOf(infer), (std::vector<std::string>{"cat", "dog"}));
}

TEST(InferRequestTest, AColumnOfTextsIsAListOfThem) {
  ModelInferRequest request = PlainRaw();
  request.mutable_inputs(0)->add_shape(1);
  EXPECT_OK(Convert(request));
}

TEST(InferRequestTest, CutsPixelsIntoImages) {
  ModelInferRequest request;
  Input* pixels = AddInput(request, "pixels", "FP32", {2, 3, 1, 2});
  for (int i = 0; i < 12; ++i) pixels->mutable_contents()->add_fp32_contents(static_cast<float>(i));
  ASSERT_OK_AND_ASSIGN(const InferRequest infer, Convert(request));
  ASSERT_EQ(infer.images.size(), 2);
  EXPECT_EQ(infer.images[1].tensor().size(), 24u);
  EXPECT_EQ(infer.pixel_size, (std::pair<int64_t, int64_t>(1, 2)));
  EXPECT_FALSE(infer.class_prompts.has_value());
  ASSERT_EQ(infer.outputs.size(), 1u);
  EXPECT_EQ(infer.outputs[0].name, kImageFeatures);

  ModelInferRequest raw = request;
  raw.mutable_inputs(0)->clear_contents();
  raw.add_raw_input_contents(infer.images[0].tensor() + infer.images[1].tensor());
  ASSERT_OK_AND_ASSIGN(const InferRequest from_raw, Convert(raw));
  EXPECT_EQ(from_raw.images[1].tensor(), infer.images[1].tensor());
}

TEST(InferRequestTest, ANumberMayBeADoubleAnIntegerOrAText) {
  const auto alpha_of = [](const std::function<void(::inference::InferParameter&)>& set) {
    ModelInferRequest request = Plain();
    (*request.mutable_parameters())["checkpoint"].set_string_param("digits");
    set((*request.mutable_parameters())["alpha"]);
    const auto infer = Convert(request);
    return infer.ok() ? infer->mixture.terms(0).coefficient() : -1;
  };
  EXPECT_EQ(alpha_of([](auto& p) { p.set_double_param(0.25); }), 0.25);
  EXPECT_EQ(alpha_of([](auto& p) { p.set_int64_param(0); }), 0);
  EXPECT_EQ(alpha_of([](auto& p) { p.set_uint64_param(1); }), 1);
  EXPECT_EQ(alpha_of([](auto& p) { p.set_string_param("0.75"); }), 0.75);
}

TEST(InferRequestTest, ACheckpointIsAnIdOrAName) {
  for (const char* name : {"digits", "checkpoints/digits"}) {
    ModelInferRequest request = Plain();
    (*request.mutable_parameters())["checkpoint"].set_string_param(name);
    ASSERT_OK_AND_ASSIGN(const InferRequest infer, Convert(request));
    EXPECT_EQ(infer.mixture.terms(0).checkpoint(), "checkpoints/digits");
    EXPECT_EQ(infer.mixture.terms(0).coefficient(), 1);
  }
}

TEST(InferRequestTest, APatchIsAnIdOrANameWithOrWithoutItsVersion) {
  const auto patch_of = [](const std::string& patch, const std::string& version) {
    ModelInferRequest request = Plain();
    request.set_model_version(version);
    (*request.mutable_parameters())["patch"].set_string_param(patch);
    (*request.mutable_parameters())["alpha"].set_double_param(0.5);
    const auto infer = Convert(request);
    if (!infer.ok()) return base::ReasonOf(infer.status());
    EXPECT_EQ(infer->alpha, 0.5);
    EXPECT_EQ(infer->mixture.terms_size(), 0);
    return infer->patch;
  };
  EXPECT_EQ(patch_of("digits", ""), "patches/digits");
  EXPECT_EQ(patch_of("digits@3", ""), "patches/digits@3");
  EXPECT_EQ(patch_of("patches/digits@production", ""), "patches/digits@production");
  EXPECT_EQ(patch_of("digits", "latest"), "patches/digits@latest");
  EXPECT_EQ(patch_of("digits@3", "3"), "CONFLICTING_VERSIONS");
}

TEST(InferRequestTest, ClassNamesMayBeAParameter) {
  const auto names_of = [](const std::string& text) {
    ModelInferRequest request = Plain();
    request.mutable_inputs()->RemoveLast();
    (*request.mutable_parameters())["class_names"].set_string_param(text);
    const auto infer = Convert(request);
    return infer.ok() ? NamesOf(*infer) : std::vector<std::string>{infer.status().ToString()};
  };
  const std::vector<std::string> both = {"a cat", "dog"};
  EXPECT_EQ(names_of("a cat\ndog"), both);
  EXPECT_EQ(names_of("a cat\r\ndog\r\n"), both);
  EXPECT_EQ(names_of("[\"a cat\", \"dog\"]"), both);
  EXPECT_EQ(names_of(" [\"a\\ncat\"]"), (std::vector<std::string>{"a\ncat"}));
}

TEST(InferRequestTest, TopKAddsTheClassesToTheAnswer) {
  ModelInferRequest request = Plain();
  (*request.mutable_parameters())["top_k"].set_string_param("1");
  ASSERT_OK_AND_ASSIGN(const InferRequest infer, Convert(request));
  EXPECT_EQ(infer.top_k, 1);
  EXPECT_EQ(infer.outputs.back().name, kClassNames);
}

TEST(InferRequestTest, RequestedOutputsComeInTheirOrder) {
  ModelInferRequest request = Plain();
  request.add_outputs()->set_name("cosines");
  auto* second = request.add_outputs();
  second->set_name("probabilities");
  (*second->mutable_parameters())["classification"].set_int64_param(5);
  ASSERT_OK_AND_ASSIGN(const InferRequest infer, Convert(request));
  EXPECT_EQ(infer.outputs, (std::vector<RequestedOutput>{{"cosines", 0}, {"probabilities", 5}}));
}

using Spoil = std::function<void(ModelInferRequest&)>;
using Parameter = ::inference::InferParameter;

Spoil With(const std::string& name, const std::function<void(Parameter&)>& set) {
  return [name, set](ModelInferRequest& request) { set((*request.mutable_parameters())[name]); };
}

struct BadRequest {
  const char* what;
  Spoil spoil;
  const char* reason;
  const char* field;
};

void ExpectRefused(const ModelInferRequest& good, const std::vector<BadRequest>& cases) {
  ASSERT_OK(Convert(good));
  for (const BadRequest& one : cases) {
    ModelInferRequest request = good;
    one.spoil(request);
    const absl::Status status = Convert(request).status();
    EXPECT_THAT(status, FailsWith(StatusCode::kInvalidArgument, one.reason)) << one.what;
    EXPECT_EQ(base::FieldOf(status), one.field) << one.what;
  }
}

TEST(InferRequestTest, RefusesTensorsWhoseShapeDatatypeAndContentsDisagree) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  ExpectRefused(
      Plain(),
      {{"an unknown input", [](auto& r) { r.mutable_inputs(0)->set_name("x"); }, "UNKNOWN_INPUT", "inputs[0].name"},
       {"twice", [](auto& r) { r.mutable_inputs(1)->set_name("images"); }, "DUPLICATE_INPUT", "inputs[1].name"},
       {"FP32 images", [](auto& r) { r.mutable_inputs(0)->set_datatype("FP32"); }, "BAD_TENSOR_DATATYPE",
        "inputs[0].datatype"},
       {"a scalar", [](auto& r) { r.mutable_inputs(0)->clear_shape(); }, "BAD_TENSOR_SHAPE", "inputs[0].shape"},
       {"a matrix", [](auto& r) { r.mutable_inputs(0)->add_shape(2); }, "BAD_TENSOR_SHAPE", "inputs[0].shape"},
       {"a negative size", [](auto& r) { r.mutable_inputs(0)->set_shape(0, -2); }, "BAD_TENSOR_SHAPE",
        "inputs[0].shape"},
       {"2^126 elements",
        [](auto& r) {
          r.mutable_inputs(0)->set_shape(0, kHuge);
          r.mutable_inputs(0)->add_shape(kHuge);
        },
        "BAD_TENSOR_SHAPE", "inputs[0].shape"},
       {"2^63 - 1 elements", [](auto& r) { r.mutable_inputs(0)->set_shape(0, kHuge); }, "TOO_MANY_ELEMENTS",
        "inputs[0].shape"},
       {"fewer than the shape", [](auto& r) { r.mutable_inputs(0)->set_shape(0, 3); }, "BAD_TENSOR_CONTENTS",
        "inputs[0].contents"},
       {"more than the shape", [](auto& r) { r.mutable_inputs(1)->set_shape(0, 1); }, "BAD_TENSOR_CONTENTS",
        "inputs[1].contents"},
       {"no contents", [](auto& r) { r.mutable_inputs(0)->clear_contents(); }, "BAD_TENSOR_CONTENTS",
        "inputs[0].contents"},
       {"floats as well", [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1); },
        "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
       {"raw as well", [](auto& r) { r.add_raw_input_contents("x"), r.add_raw_input_contents("y"); },
        "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
       {"no images", [](auto& r) { r.mutable_inputs()->DeleteSubrange(0, 1); }, "NO_IMAGES", "inputs"},
       {"an empty list of images",
        [](auto& r) {
          r.mutable_inputs(0)->set_shape(0, 0);
          r.mutable_inputs(0)->clear_contents();
        },
        "NO_IMAGES", "inputs[0].shape"},
       {"images in shared memory",
        [](auto& r) { (*r.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("x"); },
        "UNKNOWN_PARAMETER", "inputs[0].parameters.shared_memory_region"},
       {"base64",
        [](auto& r) { (*r.mutable_inputs(0)->mutable_parameters())["content_type"].set_string_param("base64"); },
        "BAD_PARAMETER", "inputs[0].parameters.content_type"}});
}

TEST(InferRequestTest, RefusesRawContentsThatDoNotFit) {
  const auto raw = [](int input, const std::string& bytes) {
    return [input, bytes](ModelInferRequest& request) { request.set_raw_input_contents(input, bytes); };
  };
  ExpectRefused(
      PlainRaw(),
      {{"too few contents", [](auto& r) { r.mutable_raw_input_contents()->RemoveLast(); }, "BAD_TENSOR_CONTENTS",
        "raw_input_contents"},
       {"too many contents", [](auto& r) { r.add_raw_input_contents("x"); }, "BAD_TENSOR_CONTENTS",
        "raw_input_contents"},
       {"no bytes", raw(0, ""), "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
       {"half a length", raw(0, Raw({"one", ""}).substr(0, 9)), "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
       {"half an element", raw(0, Raw({"one", "two"}).substr(0, 13)), "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
       {"an element of 4 GiB", raw(1, std::string(14, '\xff')), "BAD_TENSOR_CONTENTS", "inputs[1].contents"},
       {"bytes after the end", raw(1, Raw({"cat", "dog", ""})), "BAD_TENSOR_CONTENTS", "inputs[1].contents"}});
}

TEST(InferRequestTest, RefusesBadPixels) {
  ModelInferRequest good;
  AddInput(good, "pixels", "FP32", {1, 3, 2, 2});
  good.add_raw_input_contents(std::string(48, '\0'));
  const auto shape = [](const std::vector<int64_t>& sizes) {
    return [sizes](ModelInferRequest& request) {
      request.mutable_inputs(0)->mutable_shape()->Assign(sizes.begin(), sizes.end());
    };
  };
  ExpectRefused(good, {{"three dimensions", shape({3, 2, 2}), "BAD_TENSOR_SHAPE", "inputs[0].shape"},
                       {"channels last", shape({1, 2, 2, 3}), "BAD_TENSOR_SHAPE", "inputs[0].shape"},
                       {"no image", shape({0, 3, 2, 2}), "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
                       {"two images", shape({2, 3, 2, 2}), "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
                       {"too many images", shape({4097, 3, 0, 0}), "TOO_MANY_ELEMENTS", "inputs[0].shape"},
                       {"images of no pixel",
                        [&](auto& r) {
                          shape({1, 3, 0, 2})(r);
                          r.set_raw_input_contents(0, "");
                        },
                        "NO_IMAGES", "inputs[0].shape"},
                       {"13 bytes", [](auto& r) { r.set_raw_input_contents(0, std::string(13, 'x')); },
                        "BAD_TENSOR_CONTENTS", "inputs[0].contents"},
                       {"FP16", [](auto& r) { r.mutable_inputs(0)->set_datatype("FP16"); }, "BAD_TENSOR_DATATYPE",
                        "inputs[0].datatype"},
                       {"images as well",
                        [](auto& r) {
                          AddInput(r, "images", "BYTES", {1});
                          r.add_raw_input_contents(Raw({"x"}));
                        },
                        "CONFLICTING_INPUTS", "inputs[0].name"}});
}

TEST(InferRequestTest, RefusesBadParameters) {
  ModelInferRequest good = Plain();
  (*good.mutable_parameters())["checkpoint"].set_string_param("digits");
  const auto text = [](const std::string& name, const std::string& value) {
    return With(name, [value](Parameter& parameter) { parameter.set_string_param(value); });
  };
  ExpectRefused(
      good,
      {{"an unknown one", text("beta", "1"), "UNKNOWN_PARAMETER", "parameters.beta"},
       {"a bool α", With("alpha", [](auto& p) { p.set_bool_param(true); }), "BAD_PARAMETER", "parameters.alpha"},
       {"an α of nothing", With("alpha", [](auto& p) { p.Clear(); }), "BAD_PARAMETER", "parameters.alpha"},
       {"NaN", With("alpha", [](auto& p) { p.set_double_param(std::nan("")); }), "BAD_PARAMETER", "parameters.alpha"},
       {"a text of infinity", text("alpha", "inf"), "BAD_PARAMETER", "parameters.alpha"},
       {"no number", text("alpha", "0.5x"), "BAD_PARAMETER", "parameters.alpha"},
       {"α of what",
        [](auto& r) {
          (*r.mutable_parameters())["alpha"].set_double_param(0.5);
          r.mutable_parameters()->erase("checkpoint");
        },
        "BAD_PARAMETER", "parameters.alpha"},
       {"a numeric checkpoint", With("checkpoint", [](auto& p) { p.set_int64_param(1); }), "BAD_PARAMETER",
        "parameters.checkpoint"},
       {"an empty checkpoint", text("checkpoint", ""), "BAD_PARAMETER", "parameters.checkpoint"},
       {"a patch as well", text("patch", "digits"), "BAD_PARAMETER", "parameters.patch"},
       {"a negative top_k", With("top_k", [](auto& p) { p.set_int64_param(-1); }), "BAD_PARAMETER", "parameters.top_k"},
       {"half a class", With("top_k", [](auto& p) { p.set_double_param(0.5); }), "BAD_PARAMETER", "parameters.top_k"},
       {"perhaps", text("allow_extrapolation", "perhaps"), "BAD_PARAMETER", "parameters.allow_extrapolation"},
       {"class names twice", text("class_names", "x"), "CONFLICTING_INPUTS", "inputs[1].name"},
       {"nested names", text("templates", "[[\"x\"]]"), "BAD_PARAMETER", "parameters.templates"},
       {"a number among names", text("templates", "[\"x\", 1]"), "BAD_PARAMETER", "parameters.templates"},
       {"half a list", text("templates", "[\"x\""), "BAD_PARAMETER", "parameters.templates"},
       {"too many names", text("templates", std::string(10'001, '\n')), "BAD_PARAMETER", "parameters.templates"},
       {"too many names in JSON",
        [&](auto& r) {
          std::string list = "[\"\"";
          for (int i = 0; i < 10'000; ++i) list += ",\"\"";
          text("templates", list + "]")(r);
        },
        "BAD_PARAMETER", "parameters.templates"},
       {"a million brackets", text("templates", std::string(1'000'000, '[')), "BAD_PARAMETER",
        "parameters.templates"}});
}

TEST(InferRequestTest, RefusesOutputsThatThereAreNot) {
  const auto output = [](const std::string& name, const char* parameter = nullptr, int64_t value = 0) {
    return [=](ModelInferRequest& request) {
      auto* added = request.add_outputs();
      added->set_name(name);
      if (parameter != nullptr) (*added->mutable_parameters())[parameter].set_int64_param(value);
    };
  };
  ModelInferRequest good = Plain();
  output("logits")(good);
  ExpectRefused(good, {{"an unknown one", output("x"), "UNKNOWN_OUTPUT", "outputs[1].name"},
                       {"features", output("image_features"), "UNKNOWN_OUTPUT", "outputs[1].name"},
                       {"twice", output("logits"), "DUPLICATE_OUTPUT", "outputs[1]"},
                       {"the best none", output("cosines", "classification", 0), "BAD_PARAMETER",
                        "outputs[1].parameters.classification"},
                       {"less than none", output("cosines", "classification", -3), "BAD_PARAMETER",
                        "outputs[1].parameters.classification"},
                       {"an unknown parameter", output("cosines", "binary", 1), "UNKNOWN_PARAMETER",
                        "outputs[1].parameters.binary"},
                       {"classified names", output("class_names", "classification", 1), "UNKNOWN_PARAMETER",
                        "outputs[1].parameters.classification"}});
  ModelInferRequest features = Plain();
  features.mutable_inputs()->RemoveLast();
  ExpectRefused(
      features,
      {{"scores", output("logits"), "UNKNOWN_OUTPUT", "outputs[0].name"},
       {"the best of nothing", With("top_k", [](auto& p) { p.set_int64_param(1); }), "NO_CLASSES", "parameters.top_k"},
       {"templates for nothing", [](auto& r) { AddTexts(r, "templates", {"{c}"}); }, "NO_CLASSES", "templates"}});
}

TEST(InferRequestTest, ErrorsOfOtherChecksGetThePathsOfTheRequest) {
  ASSERT_OK_AND_ASSIGN(InferRequest infer, Convert(Plain()));
  const auto moved = [&](const std::string& field) {
    return base::FieldOf(AtInferField(base::WithField(base::NotFound("X", "x"), field), infer));
  };
  EXPECT_EQ(moved("names.class_names[1]"), "class_names[1]");
  EXPECT_EQ(moved("images[12].encoded"), "images[12]");
  EXPECT_EQ(moved("images"), "images");
  EXPECT_EQ(moved("model"), "model_name");
  EXPECT_EQ(moved("terms[0].coefficient"), "parameters.alpha");
  EXPECT_EQ(moved("terms[0].checkpoint"), "parameters.checkpoint");
  EXPECT_EQ(moved("patch"), "parameters.patch");
  EXPECT_EQ(moved("alpha"), "parameters.alpha");
  infer.pixel_size.emplace(1, 1);
  EXPECT_EQ(moved("images[12].tensor"), "pixels[12]");
  EXPECT_OK(AtInferField(absl::OkStatus(), infer));
}

}  // namespace
}  // namespace modelpatch::server
