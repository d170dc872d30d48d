// The answer to exercise 6 of chapter 3: back-propagation through time in arrays and loops, without any library
//
//   dotnet run -c Release docs/book/bptt-from-scratch.cs
//
// It checks its gradient by differences, then learns parity: at every step, is the number of ones so far odd? The
// numbers in parentheses are the chapter's equations. x[t - 1] is x_t; h[t] and dY[t] are those of step t, h[0] is h_0.
using System.Globalization;

const int T = 6, I = 1, H = 8, O = 2;
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var random = new Random(7);
double Draw() => ((2 * random.NextDouble()) - 1) / Math.Sqrt(H);
double[] DrawAll(int length) => [.. Enumerable.Range(0, length).Select(_ => Draw())];

// W_ih [H, I], W_hh [H, H], b_ih and b_hh [H], W_ho [O, H], b_o [O], row after row
double[][] parameters = [DrawAll(H * I), DrawAll(H * H), DrawAll(H), DrawAll(H), DrawAll(O * H), DrawAll(O)];
string[] names = ["W_ih", "W_hh", "b_ih", "b_hh", "W_ho", "b_o"];
var (Wih, Whh, bih, bhh, Who, bo) = (parameters[0], parameters[1], parameters[2], parameters[3], parameters[4], parameters[5]);

var (bits, answers) = Parity();
double[] start = DrawAll(H);
var (states, logits) = Forward(bits, start);
var gradients = Backward(bits, states, CrossEntropy(logits, answers).DY);
for (var p = 0; p < parameters.Length; p++)
    Console.WriteLine($"{names[p],-4}  error of the gradient {Check(parameters[p], gradients[p]):0.0e+0}");

var (right, asked) = (0, 0);
for (var update = 1; update <= 20_000; update++)
{
    (bits, answers) = Parity();
    (states, logits) = Forward(bits, new double[H]);
    for (var t = 1; t <= T; t++)
        (right, asked) = (right + (logits[t][1] > logits[t][0] == (answers[t - 1] == 1) ? 1 : 0), asked + 1);
    gradients = Backward(bits, states, CrossEntropy(logits, answers).DY);
    for (var p = 0; p < parameters.Length; p++)
    {
        for (var k = 0; k < parameters[p].Length; k++)
            parameters[p][k] -= 0.1 * gradients[p][k]; // (3.13)
    }

    if (update % 2000 == 0)
    {
        Console.WriteLine($"updates {update - 1999,6} to {update,6}: {(double)right / asked:P1} of the answers right");
        (right, asked) = (0, 0);
    }
}

return;

(double[][] Bits, int[] Answers) Parity()
{
    var (x, c) = (new double[T][], new int[T]);
    for (var t = 1; t <= T; t++)
    {
        var bit = random.Next(2);
        x[t - 1] = [bit];
        c[t - 1] = t == 1 ? bit : c[t - 2] ^ bit;
    }

    return (x, c);
}

(double[][] States, double[][] Logits) Forward(double[][] x, double[] h0)
{
    var (h, y) = (new double[T + 1][], new double[T + 1][]);
    h[0] = h0;
    for (var t = 1; t <= T; t++)
    {
        (h[t], y[t]) = (new double[H], new double[O]);
        for (var j = 0; j < H; j++)
        {
            var a = bih[j] + bhh[j]; // (3.1)
            for (var k = 0; k < I; k++)
                a += Wih[(j * I) + k] * x[t - 1][k];
            for (var m = 0; m < H; m++)
                a += Whh[(j * H) + m] * h[t - 1][m];
            h[t][j] = Math.Tanh(a);
        }

        for (var k = 0; k < O; k++)
        {
            y[t][k] = bo[k]; // (3.2)
            for (var j = 0; j < H; j++)
                y[t][k] += Who[(k * H) + j] * h[t][j];
        }
    }

    return (h, y);
}

(double Loss, double[][] DY) CrossEntropy(double[][] y, int[] c)
{
    var (loss, dY) = (0.0, new double[T + 1][]);
    for (var t = 1; t <= T; t++)
    {
        var max = y[t].Max();
        var sum = y[t].Sum(logit => Math.Exp(logit - max));
        loss += (Math.Log(sum) - (y[t][c[t - 1]] - max)) / T;             // (3.6)
        dY[t] = [.. y[t].Select(logit => Math.Exp(logit - max) / sum / T)]; // (3.5)
        dY[t][c[t - 1]] -= 1.0 / T;                                         // (3.7)
    }

    return (loss, dY);
}

double[][] Backward(double[][] x, double[][] h, double[][] dY)
{
    double[][] d = [.. parameters.Select(p => new double[p.Length])];
    var (dWih, dWhh, dBih, dBhh, dWho, dBo) = (d[0], d[1], d[2], d[3], d[4], d[5]);
    var fromNext = new double[H]; // W_hhᵀ δᵃ of step t + 1
    for (var t = T; t >= 1; t--)
    {
        var dA = new double[H];
        for (var j = 0; j < H; j++)
        {
            var dH = fromNext[j]; // (3.8)
            for (var k = 0; k < O; k++)
                dH += Who[(k * H) + j] * dY[t][k];
            dA[j] = (1 - (h[t][j] * h[t][j])) * dH; // (3.9)
        }

        fromNext = new double[H];
        for (var m = 0; m < H; m++)
        {
            for (var j = 0; j < H; j++)
            {
                dWhh[(m * H) + j] += dA[m] * h[t - 1][j]; // (3.10)
                fromNext[j] += Whh[(m * H) + j] * dA[m];
            }

            for (var k = 0; k < I; k++)
                dWih[(m * I) + k] += dA[m] * x[t - 1][k];
            dBih[m] += dA[m];
            dBhh[m] += dA[m];
        }

        for (var k = 0; k < O; k++)
        {
            for (var j = 0; j < H; j++)
                dWho[(k * H) + j] += dY[t][k] * h[t][j]; // (3.11)
            dBo[k] += dY[t][k];
        }
    }

    return d;
}

// §3.9: two points, relative to the largest element (3.15)
double Check(double[] values, double[] gradient)
{
    const double Epsilon = 1e-5;
    var (difference, largest) = (0.0, 0.0);
    for (var k = 0; k < values.Length; k++)
    {
        var theta = values[k];
        values[k] = theta + Epsilon;
        var above = CrossEntropy(Forward(bits, start).Logits, answers).Loss;
        values[k] = theta - Epsilon;
        var below = CrossEntropy(Forward(bits, start).Logits, answers).Loss;
        values[k] = theta;
        var numeric = (above - below) / (2 * Epsilon);
        difference = Math.Max(difference, Math.Abs(gradient[k] - numeric));
        largest = Math.Max(largest, Math.Max(Math.Abs(gradient[k]), Math.Abs(numeric)));
    }

    return difference / largest;
}
