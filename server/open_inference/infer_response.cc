#include "server/open_inference/infer_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <string_view>

namespace modelpatch::server {
namespace {

using ::inference::ModelInferResponse;

constexpr size_t kLengthBytes = 4;
// Of "score:index:" in front of a class name, with room for a field's tag and length.
constexpr int64_t kLabelBytes = 64;

double ScoreNamed(const std::string& name, const serve::ClassScore& score) {
  if (name == kProbabilities) return score.probability;
  return name == kLogits ? score.logit : score.cosine;
}

// Adds outputs with raw or typed contents, as the request came.
class OutputWriter {
 public:
  OutputWriter(bool is_raw, ModelInferResponse* response) : is_raw_(is_raw), response_(*response) {}

  void AddFloats(const std::string& name, int64_t rows, std::span<const float> values) {
    auto* output = Add(name, "FP32", rows, values.size());
    if (is_raw_) {
      response_.add_raw_output_contents()->assign(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    } else {
      output->mutable_contents()->mutable_fp32_contents()->Add(values.begin(), values.end());
    }
  }

  void AddTexts(const std::string& name, int64_t rows, const std::vector<std::string>& values) {
    auto* output = Add(name, "BYTES", rows, values.size());
    if (!is_raw_) {
      for (const std::string& value : values) output->mutable_contents()->add_bytes_contents(value);
      return;
    }
    std::string* raw = response_.add_raw_output_contents();
    for (const std::string& value : values) {
      const auto length = static_cast<uint32_t>(value.size());
      char bytes[kLengthBytes];
      std::memcpy(bytes, &length, kLengthBytes);
      raw->append(bytes, kLengthBytes);
      raw->append(value);
    }
  }

 private:
  ModelInferResponse::InferOutputTensor* Add(const std::string& name, const char* datatype, int64_t rows,
                                             size_t elements) {
    auto* output = response_.add_outputs();
    output->set_name(name);
    output->set_datatype(datatype);
    output->add_shape(rows);
    output->add_shape(rows == 0 ? 0 : static_cast<int64_t>(elements) / rows);
    return output;
  }

  const bool is_raw_;
  ModelInferResponse& response_;
};

}  // namespace

int64_t NeededClasses(const InferRequest& request) {
  if (request.top_k > 0) return request.top_k;
  int64_t needed = 0;
  for (const RequestedOutput& output : request.outputs) {
    if (output.classification == 0) return 0;
    needed = std::max(needed, output.classification);
  }
  return needed;
}

int64_t ResponseBytes(const InferRequest& request, const std::vector<std::string>& class_names) {
  const auto images = static_cast<int64_t>(request.images.size());
  const auto classes = static_cast<int64_t>(class_names.size());
  int64_t longest = 0;
  int64_t all = 0;
  for (const std::string& name : class_names) {
    longest = std::max(longest, static_cast<int64_t>(name.size()));
    all += static_cast<int64_t>(name.size());
  }
  const int64_t kept = request.top_k == 0 ? classes : std::min(request.top_k, classes);
  int64_t bytes = 0;
  for (const RequestedOutput& output : request.outputs) {
    if (output.classification == 0 && output.name != kClassNames) {
      bytes += images * kept * static_cast<int64_t>(sizeof(float));
      continue;
    }
    const int64_t labels = output.classification == 0 ? kept : std::min(kept, output.classification);
    bytes += images * (labels * kLabelBytes + std::min(all, labels * longest));
  }
  return bytes;
}

void FillScores(const InferRequest& request, const std::vector<std::string>& class_names,
                const std::vector<std::vector<serve::ClassScore>>& images, ModelInferResponse* response) {
  OutputWriter writer(request.is_raw, response);
  const auto rows = static_cast<int64_t>(images.size());
  const bool is_ranked = request.top_k > 0;
  for (const RequestedOutput& output : request.outputs) {
    std::vector<float> floats;
    std::vector<std::string> texts;
    for (const std::vector<serve::ClassScore>& scores : images) {
      if (output.classification > 0) {
        const size_t kept = std::min(scores.size(), static_cast<size_t>(output.classification));
        for (size_t i = 0; i < kept; ++i) {
          texts.push_back(fmt::format("{}:{}:{}", static_cast<float>(ScoreNamed(output.name, scores[i])),
                                      scores[i].class_index, class_names[static_cast<size_t>(scores[i].class_index)]));
        }
      } else if (output.name == kClassNames && is_ranked) {
        for (const serve::ClassScore& score : scores) {
          texts.push_back(class_names[static_cast<size_t>(score.class_index)]);
        }
      } else if (output.name == kClassNames) {
        texts.insert(texts.end(), class_names.begin(), class_names.end());
      } else {
        const size_t begin = floats.size();
        floats.resize(begin + scores.size());
        for (size_t i = 0; i < scores.size(); ++i) {
          const size_t place = is_ranked ? i : static_cast<size_t>(scores[i].class_index);
          floats[begin + place] = static_cast<float>(ScoreNamed(output.name, scores[i]));
        }
      }
    }
    if (output.classification > 0 || output.name == kClassNames) {
      writer.AddTexts(output.name, rows, texts);
    } else {
      writer.AddFloats(output.name, rows, floats);
    }
  }
}

void FillFeatures(const InferRequest& request, int64_t width, std::span<const float> values,
                  ModelInferResponse* response) {
  OutputWriter writer(request.is_raw, response);
  writer.AddFloats(kImageFeatures, width == 0 ? 0 : static_cast<int64_t>(values.size()) / width, values);
}

}  // namespace modelpatch::server
