// Measures a live PgBouncer under load through the plant itself: which pool size is best, how noisy a window is, and
// how long a change takes to show. The figures say how to configure a loop: its objective, window and settle time.
#include "runtime/plants/pgbouncer/pgbouncer_plant.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string_view>
#include <thread>

namespace {

using namespace homeostat;
using steady = std::chrono::steady_clock;

constexpr duration patience = 10s;
constexpr double default_size = 20;

constexpr const char* usage = R"(usage: pgbouncer_sweep CONSOLE DATABASE [--retire] EXPERIMENT

  CONSOLE   libpq connection string of the admin console; DATABASE  the one under load; --retire  shrink
            without PAUSE
  sweep ROUNDS WINDOW_MS SETTLE_MS SIZE...   throughput and latency at each size, in random order, paired with size 20
  noise SIZE SECONDS                         variation of throughput in windows of 0.25 to 4 s at one size
  step FROM TO ROUNDS                        time of each change, and throughput in the 100 ms slices after it
)";

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "pgbouncer_sweep: %s\n", why.c_str());
  std::exit(1);
}

template <class T> T value_or_stop(std::expected<T, plant_error> result) {
  if (!result) stop(result.error().what);
  return std::move(*result);
}

instant now() { return std::chrono::time_point_cast<duration>(std::chrono::system_clock::now()); }

double number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0))
    stop("'" + std::string(text) + "': expected a number above 0");
  return value;
}

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

class bench {
public:
  bench(std::string console, std::string database, shrink_method shrink)
      : plant_(
            {.console = std::move(console), .database = std::move(database), .shrink = shrink, .client_progress = {}}) {
  }

  void apply(double size) { value_or_stop(plant_.apply({{pgbouncer_plant::pool_size_knob, size}}, patience)); }

  named_values read() { return value_or_stop(plant_.read(now(), patience)).metrics; }

  /// @returns the metrics of the next `length`.
  named_values window(duration length) {
    static_cast<void>(read());
    std::this_thread::sleep_for(length);
    return read();
  }

  void sweep(int rounds, duration length, duration settle, std::vector<double> sizes) {
    std::map<double, std::vector<double>> throughput, latency, ratio;
    std::mt19937 random(1); // only the order of visits
    for (int round = 0; round < rounds; ++round) {
      std::ranges::shuffle(sizes, random);
      for (const double size : sizes) {
        // The default right before each size: absolute figures drift, ratios of neighbours hardly do.
        const auto reference = visit(default_size, length, settle);
        const auto here = visit(size, length, settle);
        throughput[size].push_back(here.at("throughput_per_s"));
        latency[size].push_back(here.contains("latency_mean_ms") ? here.at("latency_mean_ms") : 0);
        ratio[size].push_back(here.at("throughput_per_s") / reference.at("throughput_per_s"));
      }
    }
    std::printf("size  tps median (min-max)       latency ms  ratio to 20 median (min-max)\n");
    for (const auto& [size, values] : throughput)
      std::printf("%4.0f  %7.0f (%6.0f-%6.0f)  %10.1f  %6.2f (%.2f-%.2f)\n", size, quantile(values, .5),
                  quantile(values, 0), quantile(values, 1), quantile(latency[size], .5), quantile(ratio[size], .5),
                  quantile(ratio[size], 0), quantile(ratio[size], 1));
  }

  void noise(double size, double seconds) {
    apply(size);
    std::this_thread::sleep_for(2s);
    std::vector<double> slices;
    static_cast<void>(read());
    for (auto next = steady::now(); static_cast<double>(slices.size()) < seconds * 4;) {
      next += 250ms;
      std::this_thread::sleep_until(next);
      slices.push_back(read().at("throughput_per_s"));
    }
    std::printf("size %.0f, mean %.0f tps\nwindow s   n  variation  between neighbours (free of drift)\n", size,
                mean_of(slices));
    for (const std::size_t per_window : {1U, 2U, 4U, 8U, 16U}) {
      std::vector<double> windows;
      for (std::size_t i = 0; i + per_window <= slices.size(); i += per_window)
        windows.push_back(mean_of({slices.begin() + static_cast<std::ptrdiff_t>(i),
                                   slices.begin() + static_cast<std::ptrdiff_t>(i + per_window)}));
      if (windows.size() < 3) continue;
      const double mean = mean_of(windows);
      double squares = 0, steps = 0;
      for (const double w : windows) squares += (w - mean) * (w - mean);
      for (std::size_t i = 1; i < windows.size(); ++i) steps += std::pow(windows[i] - windows[i - 1], 2) / 2;
      const auto degrees = static_cast<double>(windows.size() - 1);
      std::printf("%7.2f  %4zu  %7.1f %%  %7.1f %%\n", 0.25 * static_cast<double>(per_window), windows.size(),
                  100 * std::sqrt(squares / degrees) / mean, 100 * std::sqrt(steps / degrees) / mean);
    }
  }

  void step(double from, double to, int rounds) {
    apply(from);
    std::this_thread::sleep_for(2s);
    for (int i = 0; i < rounds; ++i) {
      change(from, to);
      change(to, from);
    }
  }

private:
  named_values visit(double size, duration length, duration settle) {
    apply(size);
    std::this_thread::sleep_for(settle);
    return window(length);
  }

  /// Applies one size and prints how long it took, throughput meanwhile, and each 100 ms after it, relative to the end.
  void change(double from, double to) {
    static_cast<void>(read());
    const auto start = steady::now();
    apply(to);
    const auto took = std::chrono::duration<double, std::milli>(steady::now() - start).count();
    const double meanwhile = read().at("throughput_per_s");
    std::vector<double> slices;
    for (auto next = steady::now(); slices.size() < 30;) {
      next += 100ms;
      std::this_thread::sleep_until(next);
      slices.push_back(read().at("throughput_per_s"));
    }
    const double settled = mean_of({slices.begin() + 15, slices.end()});
    std::printf("%3.0f ->%3.0f %6.1f ms, meanwhile %4.0f tps; then %5.0f tps; of that, per 100 ms:", from, to, took,
                meanwhile, settled);
    for (std::size_t i = 0; i < 12; ++i) std::printf(" %.2f", slices[i] / settled);
    std::printf("\n");
  }

  pgbouncer_plant plant_;
};

} // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool retire = std::erase(words, "--retire") > 0;
  if (words.size() < 3) {
    std::fputs(usage, stderr);
    return 2;
  }
  const std::string experiment = words[2];
  bench run(words[0], words[1], retire ? shrink_method::retire : shrink_method::pause);
  std::vector<double> numbers;
  for (std::size_t i = 3; i < words.size(); ++i) numbers.push_back(number(words[i]));
  const auto ms = [](double value) {
    return std::chrono::round<duration>(std::chrono::duration<double, std::milli>(value));
  };
  if (experiment == "sweep" && numbers.size() > 3) {
    run.sweep(static_cast<int>(numbers[0]), ms(numbers[1]), ms(numbers[2]), {numbers.begin() + 3, numbers.end()});
  } else if (experiment == "noise" && numbers.size() == 2) {
    run.noise(numbers[0], numbers[1]);
  } else if (experiment == "step" && numbers.size() == 3) {
    run.step(numbers[0], numbers[1], static_cast<int>(numbers[2]));
  } else {
    std::fputs(usage, stderr);
    return 2;
  }
  return 0;
}
