// Runs the policy of an agent without Python: reads states, prints candidate decisions.
//
// ORT is the folder of ONNX Runtime's C++ release, with include/ and lib/:
//
//     g++ -std=c++17 -O2 -I ORT/include -L ORT/lib -Wl,-rpath,ORT/lib -o onnx_policy
//         examples/onnx_policy.cpp -lonnxruntime   (on one line)
//     ./onnx_policy policy.onnx < states.txt
//
// Each line of states.txt is a state: [feature 1 of device 1 ... N, feature 2 of device 1 ... N, ...].
// For each state the candidates of order-preserving quantization are printed, the likeliest first, as
// by `agent.decode(state, N + 1)`. A simulator would score them and take the best.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using Decision = std::vector<int>;

// Returns at most N + 1 distinct decisions; devices that are not active compute locally.
std::vector<Decision> order_preserving(const std::vector<float>& logits,
                                       const std::vector<bool>& active) {
  std::vector<Decision> candidates;
  auto add = [&](auto offloads) {
    Decision decision(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) decision[i] = active[i] && offloads(logits[i]);
    if (std::find(candidates.begin(), candidates.end(), decision) == candidates.end())
      candidates.push_back(decision);
  };
  std::vector<size_t> nearest(logits.size());
  std::iota(nearest.begin(), nearest.end(), 0);
  std::stable_sort(nearest.begin(), nearest.end(),
                   [&](size_t i, size_t j) { return std::abs(logits[i]) < std::abs(logits[j]); });
  add([](float logit) { return logit > 0; });
  for (size_t device : nearest) {
    const float threshold = logits[device];
    add([=](float logit) { return threshold > 0 ? logit > threshold : logit >= threshold; });
  }
  return candidates;
}

class Policy {
 public:
  explicit Policy(const char* path) : session_(env_, path, Ort::SessionOptions()) {
    std::istringstream names(about("features"));
    for (std::string name; std::getline(names, name, ',');) features_.push_back(name);
    if (about("num_places") != "2") throw std::runtime_error("no DROO policy of two places");
  }

  std::vector<Decision> decide(std::vector<float>& state) {
    const std::int64_t shape[] = {1, static_cast<std::int64_t>(state.size())};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto input =
        Ort::Value::CreateTensor<float>(memory, state.data(), state.size(), shape, 2);
    const char *inputs[] = {"state"}, *outputs[] = {"logits"};
    const auto found = session_.Run(Ort::RunOptions(), inputs, &input, 1, outputs, 1);
    const float* first = found[0].GetTensorData<float>();
    const size_t num_devices = found[0].GetTensorTypeAndShapeInfo().GetElementCount();

    std::vector<bool> active(num_devices, true);
    const auto mask = std::find(features_.begin(), features_.end(), "active");
    if (mask != features_.end())
      for (size_t i = 0; i < num_devices; ++i)
        active[i] = state[(mask - features_.begin()) * num_devices + i] > 0;
    return order_preserving({first, first + num_devices}, active);
  }

 private:
  std::string about(const char* key) {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto value = session_.GetModelMetadata().LookupCustomMetadataMapAllocated(key, allocator);
    return value ? value.get() : "";
  }

  Ort::Env env_;
  Ort::Session session_;
  std::vector<std::string> features_;
};

int main(int count, char** arguments) try {
  if (count != 2) throw std::runtime_error("usage: onnx_policy policy.onnx < states.txt");
  Policy policy(arguments[1]);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream numbers(line);
    std::vector<float> state{std::istream_iterator<float>(numbers), {}};
    for (const Decision& candidate : policy.decide(state)) {
      for (int offloads : candidate) std::cout << offloads;
      std::cout << ' ';
    }
    std::cout << '\n';
  }
} catch (const std::exception& error) {
  std::cerr << "onnx_policy: " << error.what() << '\n';
  return 1;
}
