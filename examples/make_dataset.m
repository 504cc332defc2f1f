function make_dataset(file, problem, num_frames, num_devices)
% MAKE_DATASET  Frames generated in MATLAB or Octave, for `--data`.
%
%   make_dataset(FILE) writes 2,000 frames of wireless powered MEC with ten devices into FILE, a .mat
%   file: the channel gains input_h [T, N] and the devices' weights [1, N]. They are played by
%   `droo run --data FILE` and labelled by `droo dataset LABELLED --data FILE`.
%
%   make_dataset(FILE, 'queues') writes frames of MEC with queues instead, for
%   `droo lydroo --data FILE`: input_h, weights, and data_arrival [T, N] in Mbit.
%
%   make_dataset(FILE, PROBLEM, T, N) writes T frames of N devices; PROBLEM is 'wpmec' or 'queues'.
%
%   Replace distances, fading and arrivals by yours; only names, shapes and units matter.

if nargin < 2, problem = 'wpmec'; end
if nargin < 3, num_frames = 2000; end
if nargin < 4, num_devices = 10; end

rng(0);
exponential = -log(rand(num_frames, num_devices));  % mean 1: Rayleigh fading, as power
odd = mod(1:num_devices, 2) == 1;
switch problem
    case 'wpmec'
        average = path_loss(linspace(2.5, 5.2, num_devices), 2.8);
        weights = 1.5 - 0.5 * odd;  % 1, 1.5, 1, ...
    case 'queues'
        average = path_loss(linspace(120, 255, num_devices), 3);
        weights = 1 + 0.5 * odd;  % 1.5, 1, 1.5, ...
    otherwise
        error('PROBLEM must be wpmec or queues, got %s', problem);
end
input_h = repmat(average, num_frames, 1) .* exponential;

% -v7 is what SciPy reads: neither -v7.3, which is HDF5, nor the text that Octave writes by default.
if strcmp(problem, 'queues')
    data_arrival = -3 * log(rand(num_frames, num_devices));  % mean 3 Mbit a frame
    save(file, 'input_h', 'weights', 'data_arrival', '-v7');
else
    save(file, 'input_h', 'weights', '-v7');
end
end


function gain = path_loss(distance, exponent)
% The average power gain at a distance in m: antenna gain 3, carrier 915 MHz.
gain = 3 * (3e8 ./ (4 * pi * 915e6 * distance)) .^ exponent;
end
