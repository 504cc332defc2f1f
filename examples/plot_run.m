function plot_run(file, picture)
% PLOT_RUN  Draw an exported run, in MATLAB or Octave.
%
%   plot_run(FILE, PICTURE) draws the run in FILE into PICTURE, a .png file. FILE is the data.mat
%   that `droo export RUN --format mat` wrote, of `droo run` or of `droo lydroo`; the result.mat of a
%   run of `droo lydroo` will do as well. It is drawn: for DROO the normalized rate, K and the
%   training loss; with queues the data queue, the energy, and distance to the optimum and K, as far
%   as the file tells of them.

result = load(file);
figure_handle = figure('visible', 'off', 'paperunits', 'inches', 'paperposition', [0 0 7 8]);
if isfield(result, 'data_queue')
    panels = panels_with_queues(result);
else
    panels = panels_of_rates(result);
end
for panel = 1:numel(panels)
    subplot(numel(panels), 1, panel);
    plot(panels{panel}.x, panels{panel}.y);
    ylabel(panels{panel}.label);
    xlim([0, panels{panel}.x(end)]);
    grid on;
end
xlabel('Time frame');
print(figure_handle, picture, '-dpng', '-r150');
close(figure_handle);
end


function panels = panels_of_rates(result)
% The panels of a run of wireless powered MEC.
panels = {over_frames('Normalized rate', rolling_mean(result.normalized_rate))};
panels{end + 1} = over_frames('K', rolling_mean(result.k));
if ~isempty(result.cost)
    loss = rolling_mean(result.cost);
    panels{end + 1} = struct('label', 'Training loss', 'x', result.cost_frame, 'y', loss);
end
end


function panels = panels_with_queues(result)
% The panels of a run of MEC with queues; what is missing in FILE is left out.
panels = {over_frames('Data queue (Mbit)', mean(result.data_queue, 2))};
energy = rolling_mean(mean(result.energy_consumption, 2));
panels{end + 1} = over_frames('Energy (J a frame)', energy);
if isfield(result, 'normalized_objective')
    gap = 1 - rolling_mean(result.normalized_objective);
    panels{end + 1} = over_frames('1 - objective / optimum', gap);
end
if isfield(result, 'k')
    panels{end + 1} = over_frames('K', rolling_mean(result.k));
end
end


function panel = over_frames(label, values)
% A panel of one value a frame.
panel = struct('label', label, 'x', (1:numel(values))', 'y', values);
end


function means = rolling_mean(values)
% The mean of each value [T, 1] and the 49 before it, at the start of those that there are.
last = (1:numel(values))';
before = max(last - 50, 0);
sums = cumsum([0; values]);
means = (sums(last + 1) - sums(before + 1)) ./ (last - before);
end
