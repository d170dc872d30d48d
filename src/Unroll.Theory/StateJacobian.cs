namespace Unroll.Theory;

/// <summary>How the hidden state of an RNN answers to a change of an earlier one.</summary>
/// <remarks>
/// <code>
/// ∂h_t/∂h_{t−1} = diag(φ'(a_t)) W_hh
/// ∂h_t/∂h_s     = ∂h_t/∂h_{t−1} · ∂h_{t−1}/∂h_{t−2} ⋯ ∂h_{s+1}/∂h_s
/// </code>
/// Shapes: [H, H]; element [j, m] is the derivative of unit j of the later state by unit m of the earlier one.
/// Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
/// </remarks>
public static class StateJacobian
{
    /// <summary>The Jacobian of one step.</summary>
    /// <remarks>
    /// <code>J[j, m] = φ'(a_j) W_hh[j, m]</code>
    /// With a mask on the recurrent product, column m is multiplied by the mask's element m.
    /// </remarks>
    /// <param name="cell">The cell.</param>
    /// <param name="step">What its forward pass returned for the step.</param>
    /// <returns>∂h_t/∂h_{t−1}, [H, H].</returns>
    /// <exception cref="ArgumentException">The step is one of a cell of another size.</exception>
    public static Matrix Of(RnnCell cell, RnnCache step)
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(step);
        var H = cell.HiddenSize;
        Shape.Equal(H, step.State.H.Length, "length of h", nameof(step));
        var jacobian = new Matrix(H, H);
        for (var j = 0; j < H; j++)
        {
            for (var m = 0; m < H; m++)
                jacobian[j, m] = Slope(cell, step.State.H[j]) * cell.Parameters.WeightHh[j, m] * (step.HiddenMask?[m] ?? 1);
        }

        return jacobian;
    }

    /// <summary>The Jacobian across several steps that follow one another.</summary>
    /// <remarks><code>∂h_t/∂h_s = J_t J_{t−1} ⋯ J_{s+1}</code></remarks>
    /// <param name="cell">The cell.</param>
    /// <param name="steps">The steps s + 1 … t, in the order of time; none give the identity, since ∂h_s/∂h_s = 1.</param>
    /// <returns>∂h_t/∂h_s, [H, H].</returns>
    /// <exception cref="ArgumentException">A step is one of a cell of another size.</exception>
    public static Matrix Across(RnnCell cell, IEnumerable<RnnCache> steps)
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(steps);
        return steps.Aggregate(Matrix.Identity(cell.HiddenSize), (product, step) => Of(cell, step).Times(product));
    }

    /// <summary>The most by which a change of the state, or a gradient on its way back, can have grown across several steps.</summary>
    /// <remarks>
    /// <code>‖∂h_t/∂h_s‖₂ ≤ Π_{r=s+1…t} max_j |φ'(a_{r,j})| · ‖W_hh‖₂</code>
    /// </remarks>
    /// <param name="cell">The cell; its steps have no mask.</param>
    /// <param name="steps">The steps s + 1 … t.</param>
    /// <returns>The bound of the largest singular value.</returns>
    public static double Bound(RnnCell cell, IEnumerable<RnnCache> steps)
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(steps);
        var norm = Spectrum.Norm(cell.Parameters.WeightHh);
        return steps.Aggregate(1.0, (product, step) => product * step.State.H.Max(h => Slope(cell, h)) * norm);
    }

    static double Slope(RnnCell cell, double h) =>
        cell.Activation == RnnActivation.Tanh ? Activations.TanhDerivative(h) : Activations.ReluDerivative(h);
}
